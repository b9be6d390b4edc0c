"""A bundle as one file: packed the same way every time, unpacked without trusting a byte of it.

A gzipped tar of plain files. What the files say is checked afterwards, by `envs.bundle` and `envs.task`;
who may send one, and where it is kept, is a hub's business.
"""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
import tempfile
import tomllib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from envs.bundle import FILES_LIMIT, SUFFIXES, TOTAL_LIMIT, check_files, digest_files
from skills.errors import ArtefactError
from skills.manifest import Name

__all__ = ["Head", "pack", "read_head", "unpack"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}){0,3}")
OVERHEAD = 2 * tarfile.BLOCKSIZE * (FILES_LIMIT + 20)
"""Bytes of headers and padding that an archive of that many files may have."""
EPOCH = 0
TOML_LIMIT = 256 * 1024


class Head(BaseModel):
    """What a bundle says of itself, read without running or checking anything else of it.

    Attributes:
        digest: As `envs.bundle.digest_folder` of the unpacked bundle.
        readme: The text of its README.md; empty where there is none.
    """

    format: Literal["zunft.task/1"]
    name: Name
    title: str = Field(max_length=500)
    summary: str = Field(default="", max_length=2000)
    licence: str = Field(min_length=1, max_length=100)
    digest: str = ""
    readme: str = ""


def read_head(archive: bytes) -> Head:
    """Look into an archive without unpacking it.

    Raises:
        ArtefactError: See `unpack`; or there is no task.toml with a name, a title and a licence in it.
    """
    if len(archive) > TOTAL_LIMIT:
        raise _refusal(f"{len(archive)} bytes", f"Keep a bundle to {TOTAL_LIMIT}.")
    files = dict(_entries(archive))
    text = files.get("task.toml", b"")
    if not text or len(text) > TOML_LIMIT:
        raise _refusal("it has no task.toml, or a huge one", "Make it with `zunft task pack`.")
    try:
        head = Head.model_validate(_figures(tomllib.loads(text.decode("utf-8"))))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _refusal(f"task.toml, {place}: {first['msg']}", "docs/tasks.md explains each entry.") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(f"task.toml is no TOML: {error}", "Repair it at that line.") from error
    readme = files.get("README.md", b"").decode("utf-8", errors="replace")
    return head.model_copy(update={"digest": digest_files(files), "readme": readme.replace("\0", "")})


def _figures(figures: Mapping[str, object]) -> dict[str, object]:
    """Without characters that no text of a database holds."""
    return {key: each.replace("\0", "") if isinstance(each, str) else each for key, each in figures.items()}


def pack(folder: Path) -> bytes:
    """The bundle's files in one archive; equal folders give equal bytes.

    Raises:
        ContractError: Something in the folder does not belong into a bundle.
    """
    check_files(folder)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size, entry.mtime, entry.mode = path.stat().st_size, EPOCH, 0o644
            with path.open("rb") as content:
                tar.addfile(entry, content)
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=EPOCH) as zipped:
        zipped.write(plain.getvalue())
    return packed.getvalue()


def unpack(archive: bytes, target: Path) -> None:
    """Write the archive's files into the new folder `target`: all of them, or nothing.

    Args:
        archive: From anybody.
        target: Must not be there yet; its parent must.

    Raises:
        ArtefactError: It is too large, no archive, or has an entry that is no plain file with a plain
            name; nothing was written.
    """
    if len(archive) > TOTAL_LIMIT:
        raise _refusal(f"{len(archive)} bytes", f"Keep a bundle to {TOTAL_LIMIT}.")
    if target.exists():
        raise _refusal(f"{target} is there already", "Unpack into a new folder.")
    building = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=target.parent))
    try:
        for name, content in _entries(archive):
            path = building / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(content)
        building.replace(target)
    except OSError as error:
        raise _refusal(
            f"it cannot be written: {error}", "Look for names that are file and folder."
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _entries(archive: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and content of each entry, checked before the next one is looked at."""
    seen: set[str] = set()
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(_inflated(archive)), mode="r:") as tar:
            for entry in tar:
                _check_entry(entry, seen)
                total += entry.size
                if total > TOTAL_LIMIT or len(seen) > FILES_LIMIT:
                    raise _refusal("it holds too much", f"At most {FILES_LIMIT} files, {TOTAL_LIMIT} bytes.")
                file = tar.extractfile(entry)
                content = file.read(entry.size) if file else b""
                if len(content) != entry.size:
                    raise _refusal(f"{entry.name!r} is cut off", "Send it again.")
                yield entry.name, content
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise _refusal(f"not a tar file: {error}", "Make it with `zunft task pack`.") from error
    if not seen:
        raise _refusal("it is empty", "Make it with `zunft task pack`.")


def _inflated(archive: bytes) -> bytes:
    """What is in the gzip stream, as long as it is no more than a bundle may be."""
    limit = TOTAL_LIMIT + OVERHEAD
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(archive, limit + 1)
    except zlib.error as error:
        raise _refusal(f"not gzip: {error}", "Make it with `zunft task pack`.") from error
    if len(plain) > limit:
        raise _refusal("it inflates to more than a bundle may be", f"Keep it to {TOTAL_LIMIT} bytes.")
    if not inflate.eof or inflate.unused_data:
        raise _refusal("it is cut off, or more follows", "Send it again.")
    return plain


def _check_entry(entry: tarfile.TarInfo, seen: set[str]) -> None:
    if not entry.isreg() or entry.issparse():
        raise _refusal(f"{entry.name!r} is not a plain file", "Leave out links, folders and devices.")
    suffix = Path(entry.name).suffix.lower()
    if NAME.fullmatch(entry.name) is None or suffix not in SUFFIXES:
        raise _refusal(f"{entry.name!r} is no name for a bundle's file", "Use letters, digits, - and _.")
    if entry.name.lower() in seen:
        raise _refusal(f"{entry.name!r} is there twice", "Names differ in more than upper and lower case.")
    seen.add(entry.name.lower())


def _refusal(message: str, remedy: str) -> ArtefactError:
    return ArtefactError(f"{message}.", where="task archive", remedy=remedy)
