"""Robots in a round, one by one: at work, silent, with what they brought, or left out; and who may look."""

from __future__ import annotations

from typing import Any

from skills.messages.base import API
from tests.hub.conftest import Collecting, ok, random_tensors


def robots(collecting: Collecting, query: str = "") -> dict[str, dict[str, Any]]:
    found = collecting.hall.get(f"/campaigns/{collecting.campaign_id}/robots{query}")
    return {each["name"]: each for each in found}


def states(collecting: Collecting, query: str = "") -> dict[str, str]:
    return {name: each["state"] for name, each in robots(collecting, query).items()}


def bring(collecting: Collecting, place: int, **metrics: float) -> None:
    robot, work = collecting.robots[place], collecting.work
    delta = robot.delta(work, random_tensors(collecting.base, place), samples=512, metrics=metrics)
    ok(robot.push(work.round_id, delta))


def test_each_robot_is_at_work_until_it_brings_its_delta(collecting: Collecting) -> None:
    assert states(collecting) == {"one": "working", "two": "working"}
    bring(collecting, 0, success=0.75)
    collecting.hall.clock.advance(collecting.hall.settings.robot_active_seconds + 1)
    found = robots(collecting)
    assert {name: each["state"] for name, each in found.items()} == {"one": "brought", "two": "silent"}
    assert (found["one"]["success"], found["one"]["samples"]) == (0.75, 512)
    assert found["one"]["norm"] > 0
    assert (found["two"]["success"], found["two"]["norm"]) == (None, None)
    assert found["two"]["since"] < found["two"]["deadline"]


def test_who_was_not_waited_for_is_left_out_and_older_rounds_are_told(collecting: Collecting) -> None:
    bring(collecting, 0)
    collecting.hall.clock.advance(3600)
    collecting.hall.turn()
    assert states(collecting, "?round=1") == {"one": "brought", "two": "left_out"}
    missing = collecting.hall.client.get(
        f"{API}/campaigns/{collecting.campaign_id}/robots?round=9", headers=collecting.hall.operator
    )
    assert collecting.hall.error(missing, 404)["where"] == "round"


def test_a_page_at_a_time_and_only_one_s_own_robots(collecting: Collecting) -> None:
    hall, path = collecting.hall, f"{API}/campaigns/{collecting.campaign_id}/robots"
    first = ok(hall.client.get(f"{path}?limit=1", headers=hall.operator)).json()
    assert len(first["items"]) == 1
    rest = ok(hall.client.get(f"{path}?limit=1&cursor={first['next']}", headers=hall.operator)).json()
    assert {first["items"][0]["name"], rest["items"][0]["name"]} == {"one", "two"}
    hall.organisation("South")
    south = hall.user("olga", "operator", "South")
    assert ok(hall.client.get(path, headers=south)).json()["items"] == []
    hall.error(hall.client.get(path, headers=hall.user("rita", "researcher")), 403)
