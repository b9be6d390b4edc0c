from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from hub.access.principal import Principal
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.skills import SkillRow
from skills.messages.base import API
from skills.messages.lists import ListQuery
from skills.messages.robots import Refusal
from tests.hub.conftest import Collecting, Hall, Headers, Robot, ok, random_tensors

REFUSAL = Refusal(skill="reach", version=2, code="worse", reason="0.4 in its twin, 0.9 before.")


def states(hall: Hall, **query: str) -> dict[str, str]:
    asked = ok(hall.client.get(API + "/robots", params=query, headers=hall.operator)).json()["items"]
    return {each["name"]: each["state"] for each in asked}


def ask(robot: Robot, refused: Refusal | None = None) -> None:
    said = f"&refused={quote(refused.model_dump_json())}" if refused else ""
    robot.request("GET", f"/robots/me/assignment?skill=reach{said}")


@pytest.fixture
def four(hall: Hall) -> dict[str, Robot]:
    """One online, one away, one lost, and one that never came."""
    robots = {name: hall.enrol(name) for name in ("online", "away", "lost", "new")}
    with hall.services.storage.database.write() as session:
        row = session.get_one(RobotRow, robots["lost"].robot_id)
        row.last_seen_at = row.lost_at = hall.clock()
    ask(robots["away"], REFUSAL)
    hall.clock.advance(hall.settings.robot_active_seconds + 30)
    ask(robots["online"])
    return robots


def test_where_each_robot_stands_is_told_filtered_and_counted(hall: Hall, four: dict[str, Robot]) -> None:
    assert states(hall) == {name: name for name in four}
    for name in four:
        assert states(hall, state=name) == {name: name}
    assert states(hall, refusing="true") == {"away": "away"}
    assert set(states(hall, refusing="false")) == {"online", "lost", "new"}
    counts = ok(hall.client.get(API + "/robots/counts", headers=hall.operator)).json()
    assert counts == {"robots": 4, "new": 1, "online": 1, "away": 1, "lost": 1, "refusing": 1}


def test_one_robot_is_shown_to_those_whose_it_is(hall: Hall, four: dict[str, Robot]) -> None:
    path = f"/robots/{four['away'].robot_id}"
    found = hall.get(path)
    assert (found["state"], found["refusal"]["reason"]) == ("away", REFUSAL.reason)
    hall.organisation("South")
    south: Headers = hall.user("olga", "operator", "South")
    hall.error(hall.client.get(API + path, headers=south), 404)
    counts = ok(hall.client.get(API + "/robots/counts", headers=south)).json()
    assert counts["robots"] == 0


def test_what_a_robot_sent_is_listed_newest_first(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    ok(robot.push(collecting.work.round_id, robot.delta(collecting.work, random_tensors(collecting.base, 1))))
    found = hall.get(f"/robots/{robot.robot_id}/contributions")
    assert [(each["skill"], each["number"], each["round_id"]) for each in found] == [
        ("reach", 1, collecting.work.round_id)
    ]
    other = collecting.robots[1]
    assert hall.get(f"/robots/{other.robot_id}/contributions") == []


def test_contributions_to_a_skill_that_was_hidden_are_hidden_with_it(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    ok(robot.push(collecting.work.round_id, robot.delta(collecting.work, random_tensors(collecting.base, 1))))
    roster = hall.services.robots.roster
    guild, elsewhere = Principal("o", "operator", "guild"), Principal("a", "admin", "x")
    for viewer in (guild, elsewhere):
        assert len(roster.contributions(robot.robot_id, viewer, ListQuery()).items) == 1
    with hall.services.storage.database.write() as session:
        skill = session.get_one(SkillRow, "reach")
        skill.organisation, skill.visibility = "South", "private"
    assert roster.contributions(robot.robot_id, guild, ListQuery()).items == ()


def test_past_events_of_one_robot(hall: Hall, four: dict[str, Robot]) -> None:
    robot_id = four["away"].robot_id
    found = hall.get(f"/events/past?robot={robot_id}")
    assert [each["kind"] for each in found] == ["version.refused", "robot.enrolled"]
    assert json.dumps(found).count(robot_id) == 2
