"""A bell that wakes whoever waits for news: threads in the background, event streams, waiting robots.

It carries no message. Who is woken reads the database, so a ring that is missed loses nothing. What other
processes write, `hub.storage.listening` hears.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

__all__ = ["Bell"]


class Bell:
    """Counts rings; a waiter names the count it has seen and returns as soon as there are more."""

    def __init__(self) -> None:
        self._rings = 0
        self._heard = 0
        self._closed = threading.Event()
        self._condition = threading.Condition()
        self._sleepers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}

    @property
    def rings(self) -> int:
        """How often it has rung."""
        return self._rings

    @property
    def closed(self) -> bool:
        """True once the hub is going down: nobody waits any longer."""
        return self._closed.is_set()

    def ring(self) -> None:
        """Wake all waiters, from any thread."""
        with self._condition:
            self._rings += 1
            self._condition.notify_all()
            by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
            for event, loop in self._sleepers.items():
                by_loop.setdefault(loop, []).append(event)
            for loop, events in by_loop.items():  # to wake a loop is a call to the system: one for all
                loop.call_soon_threadsafe(_set_all, events)

    def hear(self, number: int) -> None:
        """Ring, unless news up to this number was heard of before: it is known from several sides.

        Numbers become visible in their order, so whoever was woken by a later one has seen this one, too.
        """
        with self._condition:
            is_news, self._heard = number > self._heard, max(number, self._heard)
        if is_news:
            self.ring()

    def close(self) -> None:
        """Wake all waiters for good."""
        self._closed.set()
        self.ring()

    def rest(self, seconds: float) -> None:
        """Block this thread for that long, whatever rings, unless the hub is going down."""
        self._closed.wait(seconds)

    def wait(self, seen: int, timeout: float) -> None:
        """Block this thread until there were more than `seen` rings, or `timeout` seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._rings > seen or self.closed, timeout)

    async def wait_async(self, seen: int, timeout: float) -> bool:  # noqa: ASYNC109 - the same contract as wait
        """Like `wait`, for a coroutine; returns whether it rang."""
        event = asyncio.Event()
        with self._condition:
            if self._rings > seen or self.closed:
                return True
            self._sleepers[event] = asyncio.get_running_loop()
        try:
            await asyncio.wait_for(event.wait(), timeout)
        except TimeoutError:
            return False
        else:
            return True
        finally:
            with self._condition:
                del self._sleepers[event]


def _set_all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        event.set()
