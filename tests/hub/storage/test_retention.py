"""What is old is forgotten, and what must stay stays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from hub.settings import Settings
from hub.storage import retention
from hub.storage.tables.base import Base
from hub.storage.tables.events import AuditRow, EventRow
from hub.storage.tables.robots import InterestRow
from hub.storage.tables.rounds import AssignmentRow, DeltaRow
from hub.storage.tables.skills import VersionRow
from tests.hub.conftest import Collecting, Hall, Hands, StubGate, ok, random_tensors, tiny_skill
from tests.hub.webhooks.conftest import listen, publish, tell
from tests.hub.webhooks.receiver import answer, receiving

DAY = 86_400


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"keep_events_days": 2, "keep_presence_days": 2, "webhook_attempts": 1}
    networks = {"webhook_networks": "127.0.0.0/8,::1/128", "webhook_plain_http": True}
    return Settings.model_validate({**settings.model_dump(), **changes, **networks})


def count(hall: Hall, table: type[Base]) -> int:
    with hall.services.storage.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def events(hall: Hall) -> list[int]:
    with hall.services.storage.database.read() as session:
        return list(session.scalars(select(EventRow.id).order_by(EventRow.id)))


def test_old_events_are_forgotten_a_few_at_a_time_and_new_ones_are_not(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    publish(hall, "one", "two")
    before = events(hall)
    hall.clock.advance(1.5 * DAY)
    publish(hall, "three")
    hall.services.storage.retention.sweep()
    assert events(hall)[: len(before)] == before
    hall.clock.advance(DAY)
    sweeps = [hall.services.storage.retention.sweep()]
    assert events(hall)[0] == before[2]
    while sweeps[-1]:
        sweeps.append(hall.services.storage.retention.sweep())
    assert len(sweeps) == len(before) // 2 + 1
    left = events(hall)
    assert left
    assert left[0] == before[-1] + 1


def test_numbers_go_on_where_everything_is_old(hall: Hall) -> None:
    publish(hall, "one")
    last = events(hall)[-1]
    hall.clock.advance(30 * DAY)
    hall.services.storage.retention.sweep()
    assert events(hall) == [last]
    publish(hall, "two")
    assert events(hall)[:2] == [last, last + 1]


def test_what_webhooks_have_still_to_be_told_of_stays(hall: Hall) -> None:
    with receiving() as receiver:
        listen(hall, receiver, "version.published")
        receiver.otherwise = answer(500)
        publish(hall, "one")
        tell(hall)  # now a dead letter
        publish(hall, "two")  # not heard yet
        (dead,) = hall.get(f"/webhooks/{hall.get('/webhooks')[0]['webhook_id']}/dead")
        hall.clock.advance(30 * DAY)
        hall.services.storage.retention.sweep()
        assert dead["event"] in events(hall)
        receiver.otherwise = answer(204)
        ok(hall.post(f"/webhooks/{hall.get('/webhooks')[0]['webhook_id']}/redeliver", {}))
        receiver.told.clear()
        tell(hall)
        assert [each.event["subject"] for each in receiver.told] == ["one/1", "two/1"]
        hall.services.storage.retention.sweep()
        assert len(events(hall)) == 1


def test_who_was_there_is_forgotten_once_the_round_is_over_and_lineage_is_not(collecting: Collecting) -> None:
    hall = collecting.hall
    for seed, robot in enumerate(collecting.robots):
        data = robot.delta(collecting.work, random_tensors(collecting.base, seed))
        ok(robot.push(collecting.work.round_id, data))
    audit = count(hall, AuditRow)
    hall.clock.advance(3 * DAY)
    hall.services.storage.retention.sweep()
    assert (count(hall, AssignmentRow), count(hall, InterestRow)) == (2, 0)  # the round is not over
    hall.turn()
    hall.clock.advance(3 * DAY)
    hall.services.storage.retention.sweep()
    assert count(hall, AssignmentRow) == 0
    assert (count(hall, DeltaRow), count(hall, VersionRow)) == (2, 2)
    assert count(hall, AuditRow) > audit


@pytest.fixture
def for_ever(settings: Settings, clock: Hands) -> Iterator[Hall]:
    forever = {"keep_events_days": 0, "keep_presence_days": 0}
    found = Hall(settings.model_copy(update=forever), StubGate(), clock)
    yield found
    found.close()


def test_nothing_is_forgotten_where_all_is_to_be_kept(for_ever: Hall) -> None:
    ok(for_ever.publish(tiny_skill()))
    before = events(for_ever)
    for_ever.clock.advance(10_000 * DAY)
    for_ever.services.storage.retention.sweep()
    assert events(for_ever) == before
