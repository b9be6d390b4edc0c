"""Files: replaced whole and durably, mapped instead of read.

What is in them is left to `skills.container` and its callers.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["Blob", "atomic_file", "keep_private", "map_file", "sync_folder", "write_atomically"]

Blob = bytes | memoryview
"""A whole file: bytes, or a view of a memory-mapped one."""


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A new file that replaces `path`, durably, once the block is left without an error.

    A crash leaves the old file or the new one. The new one can be read back while it is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_atomically(path: Path, data: Blob, *, mode: int = 0o644) -> None:
    """Replace `path` by `data`; see `atomic_file`."""
    with atomic_file(path, mode=mode) as file:
        file.write(data)


def sync_folder(folder: Path) -> None:
    """Make names that were entered into a folder, or taken out of it, survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def map_file(file: BinaryIO) -> memoryview:
    """The whole file as a read-only view; it outlives the file object, and the file's name."""
    size = os.fstat(file.fileno()).st_size
    if not size:
        return memoryview(b"")  # nothing cannot be mapped
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def keep_private() -> None:
    """From here on this process, and whichever it starts, makes files that nobody else can read.

    For the entry of a process: it is a property of all its threads.
    """
    os.umask(0o077)
