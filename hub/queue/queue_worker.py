"""What works on a leased queue in the background: one row after the other, until none is due.

What is done with a row, and what becomes of one that fails, is each worker's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from hub.queue.background_loop import LOOK_SECONDS
from hub.queue.leased_queue import Held, LeasedQueue
from hub.storage.tables.base import Leased

__all__ = ["QueueWorker"]

Row = TypeVar("Row", bound=Leased)


class QueueWorker(ABC, Generic[Row]):
    """`work` does all that is to be done; a background loop calls it again and again."""

    def __init__(self, queue: LeasedQueue[Row]) -> None:
        self._queue = queue

    def work(self) -> float:
        """Do what waits; returns after how many seconds to look again."""
        while self.step():
            pass
        return LOOK_SECONDS

    def step(self) -> bool:
        """Do the next row; whether there was one."""
        self._prepare()
        return self._queue.do(self._do, self._fail)

    def _prepare(self) -> None:
        """Find out what is to be done, where that is not in the rows yet."""
        return

    @abstractmethod
    def _do(self, held: Held[Row]) -> None:
        """Do one row's work, and enter what came of it under the lease."""

    @abstractmethod
    def _fail(self, held: Held[Row], error: Exception) -> None:
        """Enter that it cannot be done at all."""
