from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from hub.storage.notify import Bell
from hub.storage.single_flight import Shared


class Source:
    """Counts how often it is looked at; `gate` holds a look up."""

    def __init__(self) -> None:
        self.looks: list[str] = []
        self.now = 0
        self.begun = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, question: str) -> int:
        self.looks.append(question)
        found = self.now
        self.begun.set()
        assert self.gate.wait(30)
        if question == "broken":
            raise RuntimeError(question)
        return found


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def shared(bell: Bell, source: Source) -> Iterator[Shared[str, int]]:
    found = Shared(bell, source, "test", fresh=3600)
    yield found
    found.close()


def test_many_who_ask_the_same_are_answered_by_one_look(shared: Shared[str, int], source: Source) -> None:
    async def ask() -> list[int]:
        return await asyncio.gather(*(shared.ask("a" if n % 4 else "b") for n in range(1000)))

    assert asyncio.run(ask()) == [0] * 1000
    assert sorted(source.looks) == ["a", "b"]


def test_what_rang_is_in_every_answer_after_it(shared: Shared[str, int], source: Source, bell: Bell) -> None:
    async def ask() -> None:
        source.gate.clear()
        early = asyncio.create_task(shared.ask("a"))
        await asyncio.sleep(0)
        assert await asyncio.to_thread(source.begun.wait, 30)
        source.now = 1  # committed, and then
        bell.ring()
        late = asyncio.create_task(shared.ask("a"))
        await asyncio.sleep(0)
        source.gate.set()
        assert await late == 1
        assert await early == 0  # was looked up before; who asked will be woken by the ring

    asyncio.run(ask())


def test_one_who_goes_away_takes_the_answer_from_nobody(shared: Shared[str, int], source: Source) -> None:
    async def ask() -> int:
        source.gate.clear()
        tasks = [asyncio.create_task(shared.ask(question)) for question in ("a", "b", "b")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        source.gate.set()
        return await tasks[2]

    assert asyncio.run(ask()) == 0


def test_a_look_that_fails_fails_for_those_who_asked_and_not_for_ever(
    shared: Shared[str, int], bell: Bell
) -> None:
    async def ask() -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError):
                await shared.ask("broken")
        bell.ring()
        assert await shared.ask("a") == 0

    asyncio.run(ask())


def test_an_answer_gets_no_older_than_it_may(bell: Bell, source: Source) -> None:
    shared = Shared(bell, source, "test", fresh=0)

    async def ask() -> list[int]:
        answers = []
        for now in range(3):
            source.now = now
            answers.append(await shared.ask("a"))
        return answers

    assert asyncio.run(ask()) == [0, 1, 2]
    shared.close()
