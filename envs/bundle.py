"""A task bundle as files: what may be in the folder, their contents, its digest.

What the files say is `envs.task`, of MJCF `envs.mjcf`. No file is executed, none outside the folder is read.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from skills.errors import ContractError

__all__ = [
    "BUNDLES",
    "bundle_names",
    "check_files",
    "digest_files",
    "digest_folder",
    "find_bundle",
    "own_tasks",
    "read_files",
]

BUNDLES = Path(__file__).parent / "tasks"
OWN_FOLDER = "ZUNFT_TASKS"
TOTAL_LIMIT = 16 * 1024 * 1024
"""Bytes: more in one bundle is refused before it is read."""
FILES_LIMIT = 200
SUFFIXES = {"", ".md", ".msh", ".obj", ".png", ".skill", ".stl", ".toml", ".txt", ".xml"}


def own_tasks() -> dict[str, Path]:
    """Bundles in the folder that ZUNFT_TASKS names, by name; the package's names are not theirs to take."""
    folder = os.environ.get(OWN_FOLDER, "")
    files = sorted(Path(folder).glob("*/task.toml")) if folder else []
    return {path.parent.name: path.parent for path in files if path.parent.name not in bundle_names()}


def bundle_names() -> tuple[str, ...]:
    """The tasks of this package, sorted."""
    return tuple(sorted(path.parent.name for path in BUNDLES.glob("*/task.toml")))


def find_bundle(name_or_path: str | Path) -> Path:
    """Folder of a bundle of this package by name, or of any bundle.

    Raises:
        ContractError: There is no such bundle.
    """
    is_name = re.fullmatch(r"[a-z0-9-]+", str(name_or_path)) is not None
    if is_name:
        folder = own_tasks().get(str(name_or_path), BUNDLES / str(name_or_path)).resolve()
    else:
        folder = Path(name_or_path).resolve()
    if not (folder / "task.toml").is_file():
        known = ", ".join((*bundle_names(), *own_tasks()))
        raise ContractError(
            f"no task bundle {str(name_or_path)!r}.",
            where="task",
            remedy=f"Known here are {known}; others are found by name in the folder that {OWN_FOLDER} names, "
            "or by their own folder.",
        )
    return folder


def check_files(folder: Path) -> None:
    """Refuse a folder with anything that does not belong into a bundle.

    Raises:
        ContractError: Names the file, and what would be right.
    """
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir() or path.is_symlink()]
    if len(files) > FILES_LIMIT:
        raise _refusal(folder, f"{len(files)} files", f"Keep it to {FILES_LIMIT}.")
    for path in files:
        if path.is_symlink() or not path.is_file():
            raise _refusal(path, "not a plain file", "Put the file itself into the bundle.")
        if path.suffix.lower() not in SUFFIXES:
            raise _refusal(path, f"files ending in {path.suffix} do not belong here", "Remove it.")
    total = sum(path.stat().st_size for path in files)
    if total > TOTAL_LIMIT:
        raise _refusal(folder, f"{total} bytes", f"Keep it to {TOTAL_LIMIT}; simplify the meshes.")


def read_files(folder: Path) -> dict[str, bytes]:
    """The contents of all files by their paths in the folder.

    Raises:
        ContractError: See `check_files`.
    """
    check_files(folder)
    return _contents(folder)


def digest_folder(folder: Path) -> str:
    """`sha256:<hex>` over names and contents of all files."""
    return digest_files(_contents(folder))


def digest_files(files: Mapping[str, bytes]) -> str:
    """The same of a bundle that is no folder yet: contents by path."""
    digest = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return f"sha256:{digest.hexdigest()}"


def _contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _refusal(path: Path, message: str, remedy: str) -> ContractError:
    return ContractError(f"{message}.", where=str(path), remedy=remedy)
