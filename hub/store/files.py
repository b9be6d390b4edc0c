"""Blobs as files in a folder: the store of a hub on one machine.

Each write is a temporary file, fsync, rename, fsync of the folder; a crash leaves a whole blob or
none. Leaves free disk space, backups and access rights to the operator.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hub.store.contract import (
    StoreError,
    check_size,
    missing,
    path_of,
    probe,
    verify_file,
    verify_incoming,
    verify_stored,
)
from skills.files import write_atomically

__all__ = ["FileStore"]


class FileStore:
    """`hub.store.ObjectStore` in a folder, which it creates."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, digest: str, data: bytes) -> None:
        """Keep the blob; one of the right size that is there already is not written again."""
        path = self._root / path_of(digest)
        verify_incoming(digest, data)
        with _refusals(path):
            if _size(path) != len(data):  # a blob that was cut short behind our back is replaced
                _make_durable_folder(path.parent)
                write_atomically(path, data, mode=0o640)

    def get(self, digest: str, limit: int | None = None) -> bytes:
        """The blob, verified; its size is checked before it is read."""
        path = self._root / path_of(digest)
        with _refusals(path):
            try:
                with path.open("rb") as file:
                    check_size(digest, os.fstat(file.fileno()).st_size, limit)
                    return verify_stored(digest, file.read())
            except FileNotFoundError as error:
                raise missing(digest) from error

    def open(self, digest: str, folder: Path, limit: int | None = None) -> BinaryIO:  # noqa: ARG002
        """The blob's own file, verified."""
        path = self._root / path_of(digest)
        with _refusals(path):
            size = _size(path)
            if size is None:
                raise missing(digest)
            check_size(digest, size, limit)
            return verify_file(digest, path.open("rb"))

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""
        path = self._root / path_of(digest)
        with _refusals(path):
            return _size(path) is not None

    def delete(self, digest: str) -> None:
        """Remove the blob, if it is there."""
        path = self._root / path_of(digest)
        with _refusals(path):
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Write, read and remove a small blob."""
        probe(self)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _make_durable_folder(folder: Path) -> None:
    """Create a folder whose own entry survives a power cut, with those above it."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    handle = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the file store failed: {error.strerror or error}.",
            where=str(path),
            remedy="Check that the folder exists, is writable by the hub's user, and that the disk has room.",
        ) from error
