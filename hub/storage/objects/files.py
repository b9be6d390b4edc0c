"""Blobs as files in a folder: the store of a hub on one machine.

Each write is a file of another name, fsync, rename or link, fsync of the folder; a crash leaves a whole blob
or none. Leaves free disk space, backups and access rights to the operator.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hub.storage.objects.contract import (
    PIECE,
    Parts,
    check_size,
    file_refusals,
    missing,
    path_of,
    probe,
    verify_file,
    verify_incoming,
    verify_stored,
)
from hub.storage.objects.file_parts import FileParts, link_in
from skills.files import sync_folder, write_atomically

__all__ = ["FileStore"]

FOLDERS = 256
"""Of blobs, by the first two digits of their digests."""


class FileStore:
    """`hub.storage.objects.ObjectStore` in a folder, which it creates."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.parts: Parts = FileParts(root)

    def put(self, digest: str, data: bytes) -> None:
        """Keep the blob; one of the right size that is there already is not written again."""
        path = self._root / path_of(digest)
        verify_incoming(digest, data)
        with file_refusals(path):
            if _size(path) != len(data):  # a blob that was cut short behind our back is replaced
                _make_blob_folders(path.parent)
                write_atomically(path, data, mode=0o600)

    def put_file(self, digest: str, file: Path) -> None:
        """Keep the file by a second name; one of its size that is there already is left alone."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            if _size(path) != file.stat().st_size:
                _make_blob_folders(path.parent)
                link_in(file, path, self._root)

    def get(self, digest: str, limit: int | None = None) -> bytes:
        """The blob, verified; its size is checked before it is read."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            try:
                with path.open("rb") as file:
                    check_size(digest, os.fstat(file.fileno()).st_size, limit)
                    return verify_stored(digest, file.read())
            except FileNotFoundError as error:
                raise missing(digest) from error

    def open(self, digest: str, folder: Path, limit: int | None = None) -> BinaryIO:  # noqa: ARG002
        """The blob's own file, verified."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            size = _size(path)
            if size is None:
                raise missing(digest)
            check_size(digest, size, limit)
            return verify_file(digest, path.open("rb"))

    def read(self, digest: str, start: int, stop: int) -> Iterator[bytes]:
        """Some of the blob's bytes."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            try:
                file = path.open("rb")
            except FileNotFoundError as error:
                raise missing(digest) from error
            with file:
                file.seek(start)
                while piece := file.read(min(PIECE, stop - file.tell())):
                    yield piece

    def url(self, digest: str, seconds: float) -> str:  # noqa: ARG002
        """None: robots do not reach the hub's disk."""
        return ""

    def exists(self, digest: str) -> bool:
        """Whether the blob is there."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            return _size(path) is not None

    def delete(self, digest: str) -> None:
        """Remove the blob, if it is there."""
        path = self._root / path_of(digest)
        with file_refusals(path):
            path.unlink(missing_ok=True)

    def check(self) -> None:
        """Write, read and remove a small blob."""
        probe(self)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _make_blob_folders(folder: Path) -> None:
    """Create a blob's folder, and all others of a store with it: one write to the disk is for all of them."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    for start in range(FOLDERS):
        (folder.parent / f"{start:02x}").mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _make_durable_folder(folder: Path) -> None:
    """Create a folder whose own entry survives a power cut, with those above it."""
    if folder.is_dir():
        return
    _make_durable_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)
