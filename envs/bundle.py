"""A task bundle as files: what may be in the folder, that nothing in it points outside, its digest.

What the files say is `envs.task`. No file is executed, none outside the folder is read: MJCF that asks
for a path beyond it, for a plug-in or for entities is refused before MuJoCo sees it.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from xml.etree import ElementTree as ET

from skills.errors import ContractError

__all__ = [
    "BUNDLES",
    "bundle_names",
    "check_files",
    "digest_files",
    "digest_folder",
    "find_bundle",
    "own_tasks",
]

BUNDLES = Path(__file__).parent / "tasks"
OWN_FOLDER = "ZUNFT_TASKS"
TOTAL_LIMIT = 16 * 1024 * 1024
"""Bytes: more in one bundle is refused before it is read."""
FILES_LIMIT = 200
XML_LIMIT = 1024 * 1024
SUFFIXES = {"", ".md", ".msh", ".obj", ".png", ".skill", ".stl", ".toml", ".txt", ".xml"}
FORBIDDEN = {
    "extension",
    "plugin",
    "flexcomp",
    "composite",
    "hfield",
    "texture",
    "replicate",
    "model",
    "attach",
}
"""MJCF elements that load code, read further files or grow without bound."""
FOLDERS = {"assetdir", "meshdir", "texturedir"}


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
        ContractError: Names the file, in MJCF the element, and what would be right.
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
    for path in files:
        if path.suffix.lower() == ".xml":
            _check_mjcf(folder, path)


def digest_folder(folder: Path) -> str:
    """`sha256:<hex>` over names and contents of all files."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return digest_files({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})


def digest_files(files: Mapping[str, bytes]) -> str:
    """The same of a bundle that is no folder yet: contents by path."""
    digest = hashlib.sha256()
    for name in sorted(files, key=PurePosixPath):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return f"sha256:{digest.hexdigest()}"


def _check_mjcf(folder: Path, path: Path) -> None:
    if path.stat().st_size > XML_LIMIT:
        raise _refusal(path, "too large", f"Keep MJCF files to {XML_LIMIT} bytes.")
    text = path.read_bytes()
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text or b"\0" in text:
        raise _refusal(path, "entities are not read", "Write the values themselves, in UTF-8.")
    try:
        root = ET.fromstring(text)  # noqa: S314 - entities were refused above
    except (ET.ParseError, ValueError) as error:
        raise _refusal(path, f"not XML: {error}", "Repair it at that line.") from error
    for element in root.iter():
        if element.tag in FORBIDDEN:
            raise _refusal(
                path, f"<{element.tag}> is not taken from a bundle", "Use plain bodies, geoms, meshes."
            )
        base = folder / "" if element.tag != "mesh" else folder / _mesh_folder(root)
        for name, value in element.attrib.items():
            if name in FOLDERS or name.startswith("file"):
                _check_inside(folder, path, base if name.startswith("file") else folder, value)


def _mesh_folder(root: ET.Element) -> str:
    compilers = [each.attrib for each in root.iter("compiler")]
    return next((c.get("meshdir", c.get("assetdir", "")) for c in compilers), "")


def _check_inside(folder: Path, path: Path, base: Path, value: str) -> None:
    pure = PurePosixPath(value.replace("\\", "/"))
    inside = (base / pure).resolve().is_relative_to(folder.resolve())
    if pure.is_absolute() or ".." in pure.parts or ":" in value or not inside:
        raise _refusal(path, f"{value!r} lies outside of the bundle", "Copy the file into the bundle.")


def _refusal(path: Path, message: str, remedy: str) -> ContractError:
    return ContractError(f"{message}.", where=str(path), remedy=remedy)
