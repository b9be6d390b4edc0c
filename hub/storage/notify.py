"""A bell that wakes whoever waits for news: threads in the background, event streams, waiting robots.

It carries no message. Who is woken reads the database, so a ring that is missed loses nothing. What other
processes write, `hub.storage.listening` hears.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.storage.database import Database

__all__ = [
    "Bell",
    "Listener",
]


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
            for event, loop in self._sleepers.items():
                loop.call_soon_threadsafe(event.set)

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


LOOK_SECONDS = 1.0


log = structlog.get_logger("zunft.hub")


class Listener:
    """`work` listens for a while; a background loop repeats it. `newest` reads the newest event's number."""

    def __init__(
        self,
        database: Database,
        bell: Bell,
        newest: Callable[[], int],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._newest = newest
        self._bell = bell
        self._look_seconds = look_seconds
        self._open = ExitStack()
        self._wait: Callable[[float], object] | None = None

    def work(self) -> float:
        """Look, then wait for the next news.

        Raises:
            SQLAlchemyError, psycopg.Error: The database does not answer; the next call connects anew.
        """
        try:
            if self._wait is None:
                self._wait = self._open.enter_context(self._database.listen()) or self._bell.rest
            self._bell.hear(self._newest())
            self._wait(self._look_seconds)
        except BaseException:
            self._wait = None
            self._open.close()
            raise
        return 0.0

    def interrupt(self) -> None:
        """End the present wait."""
        try:
            self._database.notify()
        except SQLAlchemyError:
            log.debug("listener.not_woken")  # then it ends with its present look

    def close(self) -> None:
        """Give the connection back."""
        self._open.close()
