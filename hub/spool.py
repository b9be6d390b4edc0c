"""Deltas as memory-mapped files for the time of a merge: as large as they may be, none is read whole.

A local store's blobs are mapped where they lie; what comes from elsewhere or is compressed lies in nameless
files meanwhile, which vanish with the process.
"""

from __future__ import annotations

import mmap
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hub.store import ObjectStore
from skills.codecs import decompress_file, is_compressed
from skills.delta import EncodedDelta, unpacked_limit
from skills.manifest import Parameters

__all__ = ["Spool"]


class Spool:
    """Opens deltas of one store; `folder` has room for all compressed or remote deltas of a round."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        # Each mapped file keeps a descriptor, and many a system begins with 1024 of them.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def open(self, digest: str, size: int, shapes: Parameters) -> EncodedDelta:
        """A stored delta of a network with these shapes; its tensors are views of a file.

        Raises:
            NotFoundError, StoreError: See `ObjectStore.open`.
            ArtefactError, CodecError: See `EncodedDelta.from_bytes`.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with (
            self._store.open(digest, self._folder, limit=size) as file,
            self._unpacked(file, unpacked_limit(shapes)) as plain,
        ):
            # The map outlives the file object, and goes with the last array that looks into it.
            data = memoryview(mmap.mmap(plain.fileno(), 0, access=mmap.ACCESS_READ))
        return EncodedDelta.from_bytes(data, shapes)

    @contextmanager
    def _unpacked(self, file: BinaryIO, limit: int) -> Iterator[BinaryIO]:
        start = file.read(4)
        file.seek(0)
        if not is_compressed(start):
            yield file
            return
        with tempfile.TemporaryFile(dir=self._folder) as target:
            decompress_file(file, target, limit)
            target.flush()
            yield target
