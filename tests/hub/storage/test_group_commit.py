from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain

import pytest

from hub.storage.group_commit import LONGEST_PAUSE, Together
from tests.eventually import eventually

AT_ONCE = 16


class Work:
    """Doubles numbers; each go waits for `gate`, and fails for all where one is negative."""

    def __init__(self) -> None:
        self.goes: list[list[int]] = []
        self.gate = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.goes.append(list(items))
        assert self.gate.wait(30)
        if min(items) < 0:
            raise ValueError(f"{min(items)} is negative")
        return [2 * item for item in items]


@pytest.fixture
def work() -> Work:
    return Work()


def gathered(together: Together[int, int], pool: ThreadPoolExecutor, items: list[int]) -> list[Future[int]]:
    """All of them asked for; the first is under way, and the others wait."""
    found = [pool.submit(together.do, item) for item in items]
    eventually(
        lambda: together.waiting >= len(items) - 1, alive=lambda: not any(each.done() for each in found)
    )
    return found


def test_what_comes_meanwhile_is_done_together_and_each_has_its_own_outcome(work: Work) -> None:
    together = Together(work)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = gathered(together, pool, list(range(AT_ONCE)))
        work.gate.set()
    assert [each.result() for each in found] == [2 * item for item in range(AT_ONCE)]
    assert len(work.goes) == 2
    assert sorted(chain(*work.goes)) == list(range(AT_ONCE))


def test_a_go_that_fails_fails_for_those_in_it_and_not_for_the_next(work: Work) -> None:
    together = Together(work)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = gathered(together, pool, [1])
        eventually(lambda: work.goes, alive=lambda: not found[0].done())
        found += [pool.submit(together.do, item) for item in (2, -3)]
        eventually(lambda: together.waiting >= 2, alive=lambda: not found[0].done())
        work.gate.set()
    assert found[0].result() == 2
    for each in found[1:]:
        with pytest.raises(ValueError, match="-3 is negative"):
            each.result()
    assert together.do(4) == 8


def test_under_a_storm_everybody_is_answered_and_nothing_is_done_twice(work: Work) -> None:
    together = Together(work)
    work.gate.set()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(together.do, range(1, 3001))) == [2 * item for item in range(1, 3001)]
    assert sorted(chain(*work.goes)) == list(range(1, 3001))
    assert together.waiting == 0


async def gathering(together: Together[int, int], many: int) -> None:
    while together.waiting < many:
        await asyncio.sleep(0)


def test_coroutines_wait_without_a_thread_and_are_done_together_with_threads(work: Work) -> None:
    together = Together(work)

    async def all_at_once() -> list[int]:
        asked = [asyncio.create_task(together.ask(item)) for item in range(AT_ONCE)]
        await gathering(together, AT_ONCE - 1)
        threads = threading.active_count()
        more = [asyncio.create_task(together.ask(item)) for item in range(AT_ONCE, 500)]
        await gathering(together, 499)
        assert threading.active_count() == threads
        with ThreadPoolExecutor(1) as pool:
            thread = pool.submit(together.do, 500)
            await gathering(together, 500)
            work.gate.set()
            return [*await asyncio.gather(*asked, *more), await asyncio.wrap_future(thread)]

    assert asyncio.run(all_at_once()) == [2 * item for item in range(501)]
    assert len(work.goes) == 2


def test_a_coroutine_that_goes_away_takes_nothing_from_the_others(work: Work) -> None:
    together = Together(work)

    async def one_leaves() -> int:
        asked = [asyncio.create_task(together.ask(item)) for item in (1, 2, 3)]
        await gathering(together, 2)
        asked[0].cancel()
        asked[1].cancel()
        work.gate.set()
        return await asked[2]

    assert asyncio.run(one_leaves()) == 6
    assert together.do(4) == 8


def test_a_go_that_fails_fails_for_coroutines_too(work: Work) -> None:
    work.gate.set()
    with pytest.raises(ValueError, match="-1 is negative"):
        asyncio.run(Together(work).ask(-1))


def test_between_two_goes_for_coroutines_there_is_time_for_more_to_come(work: Work) -> None:
    resting, rested = threading.Event(), threading.Event()

    def rest(seconds: float) -> None:
        assert 0 <= seconds <= LONGEST_PAUSE
        resting.set()
        assert rested.wait(30)

    async def ask() -> list[int]:
        together = Together(work, rest)
        first = asyncio.create_task(together.ask(1))
        await asyncio.to_thread(eventually, lambda: work.goes)
        second = asyncio.create_task(together.ask(2))
        await asyncio.to_thread(eventually, lambda: together.waiting)
        work.gate.set()
        assert await asyncio.to_thread(resting.wait, 30)
        third = asyncio.create_task(together.ask(3))
        await asyncio.to_thread(eventually, lambda: together.waiting == 2)
        rested.set()
        return list(await asyncio.gather(first, second, third))

    assert asyncio.run(ask()) == [2, 4, 6]
    assert work.goes == [[1], [2, 3]]
