"""Loops in the background outlive whatever happens, and whoever asks hears which of them is not well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub.metrics import Metrics
from hub.queue import background_loop
from hub.queue.background_loop import STUCK_SECONDS, BackgroundLoop, beat, every
from hub.storage.notify import Bell
from hub.storage.objects import StoreError
from tests.hub.conftest import Hall

PATIENCE = 30.0
ERRORS = [PoolTimeoutError("no connection"), StoreError("away"), ZeroDivisionError(), SystemExit(1)]


class Bench:
    """Loops that end with the test."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.metrics = Metrics()
        self._loops: list[BackgroundLoop] = []

    def loop(
        self, work: Callable[[], float], *, is_woken: bool = True, now: Callable[[], float] = lambda: 0.0
    ) -> BackgroundLoop:
        found = BackgroundLoop("welds", work, self.bell, self.metrics, is_woken=is_woken, now=now)
        self._loops.append(found)
        found.start()
        return found

    def failures(self) -> float | None:
        return self.metrics.registry.get_sample_value("zunft_background_failures_total", {"loop": "welds"})

    def close(self) -> None:
        self.bell.close()
        for loop in self._loops:
            loop.stop()


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench()
    yield found
    found.close()


def test_a_loop_outlives_whatever_its_work_raises_and_counts_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_loop, "PAUSE", 0.0)
    errors, done = iter(ERRORS), threading.Event()

    def work() -> float:
        for error in errors:
            raise error
        done.set()
        return PATIENCE

    loop = bench.loop(work)
    assert done.wait(PATIENCE)
    assert loop.trouble() == ""
    assert bench.failures() == len(ERRORS)


def test_news_wakes_a_loop_unless_it_has_a_time_of_its_own(bench: Bench) -> None:
    looks, slow = threading.Semaphore(0), threading.Semaphore(0)
    bench.loop(every(PATIENCE, looks.release))
    bench.loop(every(PATIENCE, slow.release), is_woken=False)
    assert looks.acquire(timeout=PATIENCE)
    assert slow.acquire(timeout=PATIENCE)
    bench.bell.ring()
    assert looks.acquire(timeout=PATIENCE)
    assert not slow.acquire(blocking=False)


@pytest.mark.parametrize(("is_urgent", "rests"), [(False, [0.06, 0.0]), (True, [0.004, 0.004])])
def test_news_that_come_soon_after_a_look_wait_for_a_breath_and_those_that_come_alone_do_not(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, is_urgent: bool, rests: list[float]
) -> None:
    clock, quiet, found = [0.0], iter([0.04, 0.5]), []

    def wait(_seen: int, _seconds: float) -> None:
        """News come, once after 40 ms and once after half a second."""
        clock[0] += next(quiet)

    def rest(seconds: float) -> None:
        found.append(round(seconds, 6))
        if len(found) == len(rests):
            bench.bell.close()

    def look() -> float:
        clock[0] += 0.001
        return PATIENCE

    monkeypatch.setattr(bench.bell, "wait", wait)
    monkeypatch.setattr(bench.bell, "rest", rest)
    loop = BackgroundLoop("welds", look, bench.bell, bench.metrics, is_urgent=is_urgent, now=lambda: clock[0])
    loop.start()
    loop.stop()
    assert found == rests


def test_work_is_done_again_at_once_where_there_is_more_and_else_after_its_time() -> None:
    more = iter([True, True, False, None])
    work = every(60.0, lambda: next(more))
    assert [work() for _ in range(4)] == [0.0, 0.0, 60.0, 60.0]


def test_a_loop_that_is_stuck_or_at_its_end_says_so(bench: Bench) -> None:
    clock = [0.0]
    at_work, go_on, said, rest = (threading.Event() for _ in range(4))

    def work() -> float:
        at_work.set()
        go_on.wait(PATIENCE)
        beat()
        said.set()
        rest.wait(PATIENCE)
        return PATIENCE

    never_started = BackgroundLoop("idle", work, bench.bell, bench.metrics)
    assert never_started.trouble() == "is not running"
    loop = bench.loop(work, now=lambda: clock[0])
    assert at_work.wait(PATIENCE)
    clock[0] = STUCK_SECONDS
    assert loop.trouble() == ""
    clock[0] += 1
    assert loop.trouble() == "is stuck: it has said nothing for 301 s"
    go_on.set()
    assert said.wait(PATIENCE)
    assert loop.trouble() == ""
    rest.set()
    bench.close()
    assert loop.trouble() == "has ended"


def test_a_hub_with_a_stuck_loop_is_not_ready_and_names_it(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, go_on = threading.Event(), threading.Event()
    work = hall.services.tasks.checker.step

    def hold() -> bool:
        at_work.set()
        go_on.wait(PATIENCE)
        return work()

    monkeypatch.setattr(hall.services.tasks.checker, "step", hold)
    with hall.client:
        assert at_work.wait(PATIENCE)
        assert hall.client.get("/readyz").status_code == 200
        (checks,) = (loop for loop in hall.services.loops if loop.name == "checks")
        monkeypatch.setattr(checks._thread, "_now", lambda: time.monotonic() + 2 * STUCK_SECONDS)
        refused = hall.error(hall.client.get("/readyz"), 503)
        assert (refused["code"], refused["where"]) == ("not_ready", "checks")
        go_on.set()
