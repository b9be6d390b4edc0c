"""Facts that never change once they are true: read once, and kept for whoever asks next.

A robot's key, what a round was opened with. Whether a robot or a round is still there is no such fact.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["KeptFacts"]

Key = TypeVar("Key", bound=Hashable)
Fact = TypeVar("Fact")


class KeptFacts(Generic[Key, Fact]):
    """At most so many; the oldest make room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[Key, Fact] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Key) -> Fact | None:
        """What is known of this one."""
        return self._kept.get(key)

    def keep(self, key: Key, fact: Fact) -> Fact:
        """Know this from now on; returns it."""
        with self._lock:
            self._kept[key] = fact
            if len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return fact

    def forget(self, key: Key) -> None:
        """Read it anew when it is asked for next."""
        with self._lock:
            self._kept.pop(key, None)
