"""Who is there for which skill: written when it matters, and for all who ask at once in one transaction."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import select

from hub.access.principal import THE_HUB, Principal
from hub.robots.presence import Presence, Presences
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import AssignmentRow
from tests.hub.conftest import Collecting, Hall

ACTIVE = 120.0


def presences_of(hall: Hall) -> Presences:
    return Presences(hall.clock, ACTIVE)


def note(hall: Hall, presences: Presences, *those: Presence) -> set[str]:
    with hall.services.storage.database.write() as session:
        return presences.note(session, those)


def written(hall: Hall) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Robots by skill, and robots by round."""
    with hall.services.storage.database.read() as session:
        interests = {(row.robot_id, row.skill) for row in session.scalars(select(InterestRow))}
        assignments = {(row.robot_id, row.round_id) for row in session.scalars(select(AssignmentRow))}
    return interests, assignments


def is_noted(hall: Hall, presences: Presences, presence: Presence) -> bool:
    with hall.services.storage.database.read() as session:
        return not presences.unnoted(session, [presence])


def test_many_at_once_are_written_down_and_asked_again_they_are_known(collecting: Collecting) -> None:
    hall, round_id = collecting.hall, collecting.work.round_id
    robots = [hall.enrol(f"robot {number}").robot_id for number in range(8)]
    presences = presences_of(hall)
    those = [Presence(robot, "reach", round_id) for robot in robots]
    assert not any(is_noted(hall, presences, each) for each in those)
    with ThreadPoolExecutor(8) as at_once:
        assert list(at_once.map(partial(note, hall, presences), those * 2)) == [set()] * 16
    interests, assignments = written(hall)
    assert {(robot, "reach") for robot in robots} <= interests
    assert {(robot, round_id) for robot in robots} <= assignments
    assert all(is_noted(hall, presences, each) for each in those)


def test_a_robot_is_written_down_anew_long_before_it_counts_as_gone(collecting: Collecting) -> None:
    hall, robot_id = collecting.hall, collecting.robots[0].robot_id
    presences, presence = presences_of(hall), Presence(robot_id, "reach", "")
    note(hall, presences, presence)
    hall.clock.advance(ACTIVE / 20 - 1)
    assert is_noted(hall, presences, presence)
    hall.clock.advance(1)
    assert not is_noted(hall, presences, presence)
    note(hall, presences, presence)
    with hall.services.storage.database.read() as session:
        assert session.get_one(InterestRow, (robot_id, "reach")).asked_at == hall.clock()


def test_a_round_that_closed_between_the_two_looks_is_not_given(collecting: Collecting) -> None:
    hall = collecting.hall
    late = hall.enrol("late").robot_id
    hall.services.rounds.campaigns.stop(collecting.campaign_id, by=THE_HUB)
    closed = note(hall, presences_of(hall), Presence(late, "reach", collecting.work.round_id))
    assert closed == {collecting.work.round_id}
    interests, assignments = written(hall)
    assert (late, "reach") in interests
    assert (late, collecting.work.round_id) not in assignments


def test_a_robot_that_left_meanwhile_spoils_nothing_for_the_others(collecting: Collecting) -> None:
    hall, round_id = collecting.hall, collecting.work.round_id
    staying, leaving = (hall.enrol(name).robot_id for name in ("staying", "leaving"))
    with hall.services.storage.database.write() as session:
        session.delete(session.get_one(RobotRow, leaving))
    presences = presences_of(hall)
    note(hall, presences, Presence(leaving, "reach", round_id), Presence(staying, "reach", round_id))
    assert (staying, round_id) in written(hall)[1]


def test_a_robot_that_polls_without_work_writes_nothing(
    collecting: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = collecting.hall
    robot = Principal(collecting.robots[0].robot_id, "robot", "guild")
    assert hall.services.rounds.assignments.assignment(robot, "reach") is not None
    assert hall.services.rounds.assignments.assignment(robot, "nothing") is None
    monkeypatch.setattr(type(hall.services.storage.database), "write", None)
    assert hall.services.rounds.assignments.assignment(robot, "reach") is not None
    assert hall.services.rounds.assignments.assignment(robot, "nothing") is None


def test_who_may_not_work_on_a_skill_waits_for_another_round_and_is_not_waited_for(
    collecting: Collecting,
) -> None:
    hall = collecting.hall
    hall.organisation("elsewhere")
    hall.services.catalogue.skills.show_to("reach", "organisation", by=THE_HUB)
    stranger = Principal(hall.enrol("stranger", organisation="elsewhere").robot_id, "robot", "elsewhere")
    answer = asyncio.run(hall.services.rounds.assignments.ask_again(stranger, "reach"))
    assert (answer.work, answer.open_round) == (None, collecting.work.round_id)
    assert (stranger.name, "reach") not in written(hall)[0]


def test_a_robot_that_does_not_train_is_seen_and_no_round_waits_for_it(collecting: Collecting) -> None:
    hall, skill = collecting.hall, "skill=reach"
    runs = hall.enrol("runs")
    answer = runs.request("GET", f"/robots/me/assignment?{skill}&trains=false&wait_seconds=30")
    assert answer.status_code == 204
    interests, assignments = written(hall)
    assert runs.robot_id not in {robot for robot, _ in (*interests, *assignments)}
    listed = {each["robot_id"]: each["last_seen_at"] for each in hall.get("/robots")}
    assert listed[runs.robot_id]
    assert runs.assignment() is not None  # one that trains after all
