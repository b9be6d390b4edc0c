"""Work that many ask for at once, done for all in one go: what comes while one go lasts waits for the next.

A transaction ends with a write to the disk, which takes as long for one row as for a hundred, and one writer
waits for the other. Who asks in a thread does it there for all that wait; coroutines hold no thread while
they wait. What is done, and for whom, is the caller's: `hub.access.nonces`, `hub.rounds.assignments`,
`hub.deltas.admission`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["LONGEST_PAUSE", "Together"]

LONGEST_PAUSE = 0.05  # seconds between two goes

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(eq=False)
class _Place(Generic[Item, Outcome]):
    """One item in the queue: `woken` when it is done, or when it is the one that has to do all.

    A coroutine's has a future of its loop instead, and whoever ends a go does the next one for it.
    """

    item: Item
    woken: threading.Event = field(default_factory=threading.Event)
    future: asyncio.Future[Outcome] | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    error: Exception | None = None

    def tell(self) -> None:
        """Hand the outcome to the coroutine, in its loop; it may have gone away."""
        if self.future is None or self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcomes[0])


class Together(Generic[Item, Outcome]):
    """Gathers items of several threads and coroutines.

    Args:
        work: Does it for all items and returns their outcomes, in order. What it raises, it raises for all.
        rest: Lets so many seconds pass.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Sequence[Outcome]],
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self._work = work
        self._rest = rest
        self._waiting: list[_Place[Item, Outcome]] = []
        self._is_busy = False
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, "zunft-together")

    @property
    def waiting(self) -> int:
        """How many wait for the next go."""
        return len(self._waiting)

    def do(self, item: Item) -> Outcome:
        """Have this done, with whatever else waits; returns its outcome."""
        mine = _Place[Item, Outcome](item)
        if not self._enter(mine):
            mine.woken.wait()
        if not mine.outcomes and mine.error is None:  # woken to do it for all that wait
            self._do_waiting()
        if mine.error is not None:
            raise mine.error
        return mine.outcomes[0]

    async def ask(self, item: Item) -> Outcome:
        """Like `do`, for a coroutine."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if self._enter(_Place(item, future=future)):
            self._thread.submit(self._do_waiting)
        return await future

    def _enter(self, mine: _Place[Item, Outcome]) -> bool:
        """Queue up; returns whether nobody is at work, so that this one has to begin."""
        with self._lock:
            self._waiting.append(mine)
            is_first, self._is_busy = not self._is_busy, True
        return is_first

    def _do_waiting(self) -> None:
        with self._lock:
            places, self._waiting = self._waiting, []
        begun = time.perf_counter()
        try:
            outcomes = self._work([place.item for place in places])
            for place, outcome in zip(places, outcomes, strict=True):
                place.outcomes.append(outcome)
        except Exception as error:  # noqa: BLE001 - each raises it for itself
            for place in places:
                place.error = error
        _tell(places)
        taken = time.perf_counter() - begun
        with self._lock:
            self._is_busy = bool(self._waiting)
            following = self._waiting[0] if self._waiting else None
        if following is None:
            return
        if following.future is None:
            following.woken.set()
        else:
            self._thread.submit(self._do_later, taken)

    def _do_later(self, seconds: float) -> None:
        """The next go, after as long as the last one took: half of the time is for those who bring more.

        A go costs nearly the same for few as for many, and while one is put together nobody else gets on.
        """
        self._rest(min(seconds, LONGEST_PAUSE))
        self._do_waiting()


def _tell(places: Sequence[_Place[Item, Outcome]]) -> None:
    """Wake everybody, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Place[Item, Outcome]]] = {}
    for place in places:
        if place.future is None:
            place.woken.set()
        else:
            by_loop.setdefault(place.future.get_loop(), []).append(place)
    for loop, theirs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell_each, theirs)


def _tell_each(places: Sequence[_Place[Item, Outcome]]) -> None:
    for place in places:
        place.tell()
