"""Work that many ask for at once, done for all in one go: what comes while one go lasts waits for the next.

A transaction ends with a write to the disk, which takes as long for one row as for a hundred, and one writer
waits for the other. What is done, and for whom, is the caller's: `hub.nonces`, `hub.campaigns`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Together"]

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(eq=False)
class _Place(Generic[Item, Outcome]):
    """One item in the queue: `woken` when it is done, or when it is the one that has to do all."""

    item: Item
    woken: threading.Event = field(default_factory=threading.Event)
    outcomes: list[Outcome] = field(default_factory=list)
    error: Exception | None = None


class Together(Generic[Item, Outcome]):
    """Gathers items of several threads.

    Args:
        work: Does it for all items and returns their outcomes, in order. What it raises, it raises for all.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Outcome]]) -> None:
        self._work = work
        self._waiting: list[_Place[Item, Outcome]] = []
        self._is_busy = False
        self._lock = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for the next go."""
        return len(self._waiting)

    def do(self, item: Item) -> Outcome:
        """Have this done, with whatever else waits; returns its outcome."""
        mine = _Place[Item, Outcome](item)
        with self._lock:
            self._waiting.append(mine)
            is_first, self._is_busy = not self._is_busy, True
        if not is_first:
            mine.woken.wait()
        if not mine.outcomes and mine.error is None:  # woken to do it for all that wait
            self._do_waiting()
        if mine.error is not None:
            raise mine.error
        return mine.outcomes[0]

    def _do_waiting(self) -> None:
        with self._lock:
            places, self._waiting = self._waiting, []
        try:
            outcomes = self._work([place.item for place in places])
            for place, outcome in zip(places, outcomes, strict=True):
                place.outcomes.append(outcome)
        except Exception as error:  # noqa: BLE001 - each raises it for itself
            for place in places:
                place.error = error
        for place in places:
            place.woken.set()
        with self._lock:
            self._is_busy = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()
