"""Answers that many wait for, looked up once: event streams and held questions after one ring of the bell.

Whoever asks the same between two rings gets the same answer; so nobody may ask here whose answer depends on
who asks. Who waits for what is `hub.api`'s.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from hub.storage.notify import Bell

__all__ = ["Shared"]

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")

FRESH_SECONDS = 0.5
"""What another process writes may be heard of late."""


class Shared(Generic[Question, Answer]):
    """Looks up each question once a ring, in threads of its own.

    An answer of before a ring is never given after it: what rang was committed before it rang, so an answer
    that was looked up since has it.

    Args:
        bell: Rings when there may be something new.
        look: Answers a question; runs in a thread.
        name: Of the threads.
        threads: How many questions are looked up at a time.
        fresh: Seconds after which no answer is given again, also without a ring.
    """

    def __init__(
        self,
        bell: Bell,
        look: Callable[[Question], Answer],
        name: str,
        *,
        threads: int = 1,
        fresh: float = FRESH_SECONDS,
    ) -> None:
        self._bell = bell
        self._look = look
        self._fresh = fresh
        self._threads = ThreadPoolExecutor(threads, name)
        self._lock = threading.Lock()
        self._kept: dict[tuple[asyncio.AbstractEventLoop, Question], asyncio.Future[Answer]] = {}
        self._rings = -1
        self._until = 0.0

    async def ask(self, question: Question) -> Answer:
        """The answer, which is at least as new as the last ring."""
        key = asyncio.get_running_loop(), question
        with self._lock:
            now, rings = time.monotonic(), self._bell.rings
            if rings != self._rings or now >= self._until:
                self._kept, self._rings, self._until = {}, rings, now + self._fresh
            # One future for all, or the thread would wake the loop for each of them.
            if key not in self._kept:
                self._kept[key] = asyncio.wrap_future(self._threads.submit(self._look, question))
            found = self._kept[key]
        # Shielded: who goes away must not take the answer from the others.
        return await asyncio.shield(found)

    def close(self) -> None:
        """End the threads after the present questions."""
        self._threads.shutdown(cancel_futures=True)
