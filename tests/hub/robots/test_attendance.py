from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.access.principal import THE_HUB
from hub.robots.attendance import Attendance
from skills.messages.events import Event
from tests.hub.conftest import Collecting, Hall, Hands

LOST_AFTER = 900
Look = Callable[[], list[tuple[str, str]]]


def heard(hall: Hall) -> tuple[Event, ...]:
    return hall.services.events.log.after(0, THE_HUB).events


@pytest.fixture
def look(hall: Hall, clock: Hands) -> Look:
    """Look as a hub that started just now, and say which events there were so far."""
    attendance = Attendance(hall.services.storage.database, clock, LOST_AFTER)

    def do() -> list[tuple[str, str]]:
        attendance.look()
        found = [event for event in heard(hall) if event.kind.startswith("robot.")]
        return [(event.kind, event.data["robot_id"]) for event in found if event.kind != "robot.enrolled"]

    return do


def test_a_robot_that_falls_silent_is_lost_once_and_returns_once(
    collecting: Collecting, look: Look, clock: Hands
) -> None:
    one, two = (robot.robot_id for robot in collecting.robots)
    assert look() == []
    for _ in range(3):
        clock.advance(LOST_AFTER / 2)
        collecting.robots[1].assignment()
        found = look()
    assert found == [("robot.lost", one)]
    for _ in range(5):
        clock.advance(LOST_AFTER)
        collecting.robots[1].assignment()
        assert look() == [("robot.lost", one)]
    collecting.robots[0].assignment()
    clock.advance(6)
    expected = [("robot.lost", one), ("robot.returned", one)]
    assert look() == expected
    clock.advance(LOST_AFTER + 1)
    assert sorted(look()[2:]) == sorted([("robot.lost", one), ("robot.lost", two)])


def test_a_hub_that_was_down_misses_nobody_before_it_has_waited_itself(
    collecting: Collecting, hall: Hall, clock: Hands
) -> None:
    clock.advance(100 * LOST_AFTER)
    again = Attendance(hall.services.storage.database, clock, LOST_AFTER)
    clock.advance(LOST_AFTER - 1)
    again.look()
    for robot in collecting.robots[:1]:
        robot.assignment()
    clock.advance(10)
    again.look()
    lost = [event.data for event in heard(hall) if event.kind == "robot.lost"]
    assert [data["robot_id"] for data in lost] == [collecting.robots[1].robot_id]
    assert lost[0]["last_seen_at"] == "2026-03-01T12:00:00+00:00"


def test_who_had_left_long_before_is_not_missed_but_whoever_has_a_round_is(
    hall: Hall, collecting: Collecting, clock: Hands
) -> None:
    idle = hall.enrol("idle")
    idle.request("GET", "/robots/me")
    never = hall.enrol("never seen")
    clock.advance(30 * 86_400)
    again = Attendance(hall.services.storage.database, clock, LOST_AFTER)
    clock.advance(LOST_AFTER + 1)
    again.look()
    lost = {event.data["robot_id"] for event in heard(hall) if event.kind == "robot.lost"}
    assert lost == {robot.robot_id for robot in collecting.robots}
    assert never.robot_id not in lost
