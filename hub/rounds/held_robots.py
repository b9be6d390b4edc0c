"""Robots that are held until there is another round for them: after a ring, one look a skill for all of them.

While nothing changes that concerns them they cost neither a thread nor a statement.
"""

from __future__ import annotations

import asyncio

from hub.storage.notify import Bell
from hub.storage.single_flight import Shared

__all__ = ["HeldRobots"]

LOOK_SECONDS = 30.0
"""A look without a ring, for a task that would otherwise outlive those who waited."""


class HeldRobots:
    """Those who wait, by skill; a task of the event loop looks for each skill as long as somebody does."""

    def __init__(self, bell: Bell, open_rounds: Shared[str, str]) -> None:
        self._bell = bell
        self._open_rounds = open_rounds
        self._waiting: dict[str, dict[asyncio.Future[bool], str]] = {}
        self._watching: dict[str, asyncio.Task[None]] = {}

    async def another_round(self, skill: str, known: str, seconds: float) -> bool:
        """Wait until another round is open than the known one; False after so many seconds, or at the end."""
        if seconds <= 0 or self._bell.closed:
            return False
        mine: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(skill, {})
        waiting[mine] = known
        watching = self._watching.get(skill)
        if watching is None or watching.done():
            self._watching[skill] = asyncio.create_task(self._watch(skill))
        elif await self._open_rounds.ask(skill) not in {"", known}:
            del waiting[mine]
            return True
        try:
            return await asyncio.wait_for(mine, seconds)
        except TimeoutError:
            return False
        finally:
            waiting.pop(mine, None)

    async def _watch(self, skill: str) -> None:
        waiting = self._waiting[skill]
        try:
            while waiting and not self._bell.closed:
                seen = self._bell.rings
                current = await self._open_rounds.ask(skill)
                for each, known in waiting.items():
                    if current not in {"", known} and not each.done():
                        each.set_result(True)
                await self._bell.wait_async(seen, LOOK_SECONDS)
        finally:  # also where the database does not answer: who asks again hears that
            del self._waiting[skill], self._watching[skill]
            for each in waiting:
                if not each.done():
                    each.set_result(not self._bell.closed)
