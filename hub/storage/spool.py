"""Files on their way through the hub: bodies as they come in, deltas and skills while they are looked at.

Nothing is held in memory as a whole. What comes in is hashed while it is written; what is looked at is
memory-mapped, a local store's blobs where they lie. Files that a killed hub left behind are swept.
"""

from __future__ import annotations

import hashlib
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from hub.storage.objects import ObjectStore
from hub.storage.objects.contract import PIECE, file_refusals
from skills.codecs import decompress_file, is_compressed
from skills.delta import EncodedDelta, unpacked_limit
from skills.document import Parameters
from skills.files import map_file
from skills.skill import SIZE_LIMIT, Skill

__all__ = ["Spool", "SpoolFile"]

PREFIX = "spooled-"


class SpoolFile:
    """A file that is being written; its size and digest are those of what was written so far.

    What is less than a piece stays in memory until somebody asks for the `path`: a small body is hashed where
    it comes in, and costs the disk's time only in the thread that keeps it.
    """

    def __init__(self, folder: Path) -> None:
        self.size = 0
        self._folder = folder
        self._path: Path | None = None
        self._held = bytearray()
        self._sha256 = hashlib.sha256()

    @property
    def held(self) -> int:
        """Bytes that are in memory still."""
        return len(self._held)

    @property
    def content(self) -> bytes | None:
        """All that was written, while it is in memory; None once it lies on the disk."""
        return bytes(self._held) if self._path is None else None

    @property
    def digest(self) -> str:
        """Its content address."""
        return "sha256:" + self._sha256.hexdigest()

    @property
    def path(self) -> Path:
        """Where all that was written lies.

        Raises:
            StoreError: The disk is full or fails.
        """
        with file_refusals(self._folder):
            if self._path is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                handle, name = tempfile.mkstemp(dir=self._folder, prefix=PREFIX)
                self._path = Path(name)
                self._pour(os.fdopen(handle, "ab", buffering=0))
            elif self._held:
                self._pour(self._path.open("ab", buffering=0))
        return self._path

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Add to its end.

        Raises:
            StoreError: The disk is full or fails.
        """
        self._sha256.update(piece)
        self.size += len(piece)
        self._held += piece
        if len(self._held) >= PIECE:
            _ = self.path

    def _pour(self, target: FileIO) -> None:
        """Write what is in memory, and close the file."""
        with target:
            left = memoryview(self._held)
            while left:
                left = left[target.write(left) :]
        self._held = bytearray()

    def remove(self) -> None:
        """It is gone; what the store keeps of it has a name of its own."""
        self._held = bytearray()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


class Spool:
    """The folder, and the store whose blobs are looked at."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        # Each mapped file keeps a descriptor, and many a system begins with 1024 of them.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def of(self, store: ObjectStore) -> Spool:
        """The same folder for the blobs of another store."""
        return Spool(store, self._folder)

    @contextmanager
    def file(self) -> Iterator[SpoolFile]:
        """A new file, gone at the end of the block.

        Raises:
            StoreError: There is no room for one.
        """
        file = self.new_file()
        try:
            yield file
        finally:
            file.remove()

    def new_file(self) -> SpoolFile:
        """As `file`; whoever has it removes it."""
        return SpoolFile(self._folder)

    @contextmanager
    def scratch(self) -> Iterator[BinaryIO]:
        """A new file with a name, to be written in any order; gone at the end of the block.

        Raises:
            StoreError: There is no room for it, or not for all that is written.
        """
        with file_refusals(self._folder), self._named() as target:
            yield target

    def open(self, digest: str, size: int, shapes: Parameters) -> EncodedDelta:
        """A stored delta of a network with these shapes; its tensors are views of a file.

        Raises:
            NotFoundError, StoreError: See `ObjectStore.open`.
            ArtefactError, CodecError: See `EncodedDelta.from_bytes`.
        """
        with self._store.open(digest, self._made(), limit=size) as file:
            return self.delta(file, shapes)

    def incoming(self, file: SpoolFile, shapes: Parameters) -> EncodedDelta:
        """A delta that has come in; a small one is looked at before it is on the disk. See `open`."""
        content = file.content
        if content is not None and not is_compressed(content):
            return EncodedDelta.from_bytes(content, shapes)
        with file.path.open("rb") as source:
            return self.delta(source, shapes)

    def delta(self, file: BinaryIO, shapes: Parameters) -> EncodedDelta:
        """A delta as views of a file, or of a nameless one where it is compressed; see `open`."""
        with self._unpacked(file, unpacked_limit(shapes)) as plain:
            return EncodedDelta.from_bytes(map_file(plain), shapes)

    def skill(self, digest: str) -> Skill:
        """A stored skill as views of a file.

        Raises:
            NotFoundError, StoreError: See `ObjectStore.open`.
        """
        with self._store.open(digest, self._made(), limit=SIZE_LIMIT) as file:
            return Skill.open(file, digest=digest)

    def map(self, digest: str, limit: int) -> memoryview:
        """Any other stored blob as a view of a file; see `ObjectStore.open`."""
        with self._store.open(digest, self._made(), limit=limit) as file:
            return map_file(file)

    def sweep(self, before: datetime) -> None:
        """Remove files that nobody has written to since: whoever made them was killed."""
        for path in self._folder.glob(f"{PREFIX}*"):
            with file_refusals(path):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink(missing_ok=True)

    @contextmanager
    def _named(self) -> Iterator[BinaryIO]:
        with file_refusals(self._made()):
            handle, name = tempfile.mkstemp(dir=self._folder, prefix=PREFIX)
            os.close(handle)
        try:
            with Path(name).open("r+b") as target:
                yield target
        finally:
            Path(name).unlink(missing_ok=True)

    def _made(self) -> Path:
        with file_refusals(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @contextmanager
    def _unpacked(self, file: BinaryIO, limit: int) -> Iterator[BinaryIO]:
        start = file.read(4)
        file.seek(0)
        if not is_compressed(start):
            yield file
            return
        with tempfile.TemporaryFile(dir=self._folder) as target:
            with file_refusals(self._folder):
                decompress_file(file, target, limit)
                target.flush()
            yield target
