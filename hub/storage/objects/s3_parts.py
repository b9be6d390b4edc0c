"""Parts of uploads as objects of their own in a bucket; robots may bring them there without passing the hub.

Not S3's multipart uploads: those need a handle to be remembered, and whoever completes one decides what
lies under a digest before anybody has looked at it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path

from hub.storage.objects.bucket import Bucket
from hub.storage.objects.contract import INCOMING, PIECE, missing_part, part_path, upload_of

__all__ = ["S3Parts"]


class S3Parts:
    """`hub.storage.objects.contract.Parts` in a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, upload: str, number: int, file: Path) -> None:
        """Keep the file as a part."""
        with self._bucket.refusals():
            self._bucket.upload(part_path(upload, number), file)

    def sizes(self, upload: str) -> dict[int, int]:
        """Bytes of each part that is there."""
        with self._bucket.refusals():
            found = self._bucket.list(f"{INCOMING}/{upload}/")
            return {int(path.rpartition("/")[2]): int(entry.size) for path, entry in found}

    def read(self, upload: str, number: int) -> Iterator[bytes]:
        """The part's bytes."""
        absent = missing_part(upload, number)
        with self._bucket.download(part_path(upload, number), absent) as response:
            yield from response.stream(PIECE)

    def url(self, upload: str, number: int, seconds: float) -> str:
        """An address at the S3 server that takes this part, where robots may reach it."""
        with self._bucket.refusals():
            return self._bucket.url("PUT", part_path(upload, number), seconds)

    def drop(self, upload: str) -> None:
        """Remove all parts."""
        with self._bucket.refusals():
            for path, _ in list(self._bucket.list(f"{INCOMING}/{upload}/")):
                self._bucket.remove(path)

    def sweep(self, before: datetime, alive: Collection[str]) -> None:
        """Remove what is older and belongs to no upload that is alive."""
        with self._bucket.refusals():
            for path, entry in list(self._bucket.list(f"{INCOMING}/")):
                if entry.last_modified < before and upload_of(path) not in alive:
                    self._bucket.remove(path)
