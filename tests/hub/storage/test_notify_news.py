"""Whatever a transaction has to tell rings the bell once it is committed; what was undone rings nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.storage.record import record
from tests.hub.conftest import Hall, Robot, ok, tiny_skill
from tests.hub.tasks.samples import publish, small_archive
from tests.hub.withdrawals.guild import train


@pytest.fixture
def busy(hall: Hall) -> Hall:
    """A hub that has long recorded events."""
    ok(hall.publish(tiny_skill()))
    return hall


def rings(hall: Hall, do: Callable[[], object]) -> bool:
    """Whether it rang for that."""
    seen = hall.services.storage.bell.rings
    do()
    return hall.services.storage.bell.rings > seen


def some_event(hall: Hall) -> None:
    with hall.services.storage.database.write() as session:
        record(session, "test", hall.clock())


def withdrawing(hall: Hall, robots: list[Robot], **request: object) -> Callable[[], object]:
    return lambda: ok(hall.post(f"/robots/{robots[0].robot_id}/withdrawal", request))


def test_news_that_is_no_event_wakes_whoever_waits(busy: Hall) -> None:
    assert rings(busy, lambda: ok(publish(busy, small_archive())))
    request = {"url": "https://example.org/told", "kinds": ["robot.lost"]}
    webhook = ok(busy.post("/webhooks", request)).json()["webhook"]["webhook_id"]
    assert rings(busy, lambda: ok(busy.post(f"/webhooks/{webhook}/redeliver", {"events": []})))


def test_a_withdrawal_wakes_whoever_waits_when_it_is_asked_for_again_and_when_it_is_done(busy: Hall) -> None:
    robots = [busy.enrol(name) for name in ("one", "two")]
    assert rings(busy, withdrawing(busy, robots))
    assert rings(busy, busy.services.withdrawals.worker.work)
    assert rings(busy, withdrawing(busy, robots, purge=True))


def test_after_a_dry_run_the_next_events_are_heard(busy: Hall) -> None:
    robots = [busy.enrol(name) for name in ("one", "two", "three")]
    train(busy, robots, rounds=2)
    before = busy.trace()
    assert not rings(busy, withdrawing(busy, robots, dry_run=True))
    assert busy.trace() == before
    for _ in range(3):
        assert rings(busy, lambda: some_event(busy))
