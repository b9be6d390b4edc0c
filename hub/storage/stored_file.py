"""A file that the hub hands out, of a skill or a task, in the one store that may have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hub.storage.objects import ObjectStore

__all__ = ["StoredFile"]

URL_SECONDS = 600.0


@dataclass(frozen=True)
class StoredFile:
    """Its content address and its bytes; see `ObjectStore` for what reading may raise."""

    digest: str
    size: int
    store: ObjectStore

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """Bytes `start` to `stop`, piece by piece."""
        return self.store.read(self.digest, start, stop)

    def url(self) -> str:
        """Where it may be fetched past the hub for a while; empty: through the hub only."""
        return self.store.url(self.digest, URL_SECONDS)
