"""A small hub whose skill has two versions, the first of them stable, and robots that say how they fare."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import httpx

from skills.messages.reports import FIRST_JOBS, Report, Tally
from skills.messages.rollouts import RolloutView
from tests.hub.conftest import Hall, Robot, ok, tiny_skill

RING = {"least_seconds": 60, "least_jobs": 4, "margin": 0.9, "arm_margin": 0.9}
"""A ring that hardly asks for anything."""


def two_versions(hall: Hall) -> None:
    """v1 is stable, v2 is there and measured by nobody yet."""
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    ok(hall.publish(tiny_skill(version=2, seed=2)))


def fleet_of(hall: Hall, many: int, arms: Sequence[str] = ("ur5e",)) -> list[Robot]:
    """Robots that have asked for work once."""
    robots = [hall.enrol(f"robot {n}", arms[n % len(arms)]) for n in range(many)]
    for robot in robots:
        robot.assignment()
    return robots


def start(hall: Hall, rings: Sequence[dict[str, Any]] = (RING,), **more: Any) -> str:
    request = {"skill": "reach", "version": 2, "rings": [{**RING, **ring} for ring in rings], **more}
    return str(ok(hall.post("/rollouts", request)).json()["rollout_id"])


def view(hall: Hall, rollout_id: str) -> RolloutView:
    return RolloutView.model_validate(hall.get(f"/rollouts/{rollout_id}"))


def order(hall: Hall, rollout_id: str, word: str, reason: str = "because") -> httpx.Response:
    return hall.post(f"/rollouts/{rollout_id}/orders", {"order": word, "reason": reason})


def turn(hall: Hall) -> None:
    for _ in range(20):
        if not hall.services.rollouts.engine.run_once():
            return
    raise AssertionError("the engine never comes to rest")


def tally(version: int, jobs: str) -> Tally:
    done = jobs.count("1")
    return Tally(version=version, done=done, failed=len(jobs) - done, first=jobs[:FIRST_JOBS])


def say(robot: Robot, report: Report | str, skill: str = "reach") -> httpx.Response:
    text = report if isinstance(report, str) else report.model_dump_json(exclude_defaults=True)
    return robot.request("GET", f"/robots/me/assignment?skill={skill}&report={quote(text, safe='')}")


def fare(robot: Robot, old: str, new: str, version: int = 2) -> None:
    """Say how jobs went with v1 and with v2, of which `version` is in use now."""
    tallies = tuple(tally(number, jobs) for number, jobs in ((1, old), (2, new)) if jobs)
    answer = say(robot, Report(skill="reach", version=version, tallies=tallies))
    assert answer.status_code in {200, 204}, answer.text


def kinds(hall: Hall) -> list[str]:
    return [each["kind"] for each in hall.get("/events/past") if each["kind"].startswith("rollout.")][::-1]


def said(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(response.content)
    return found
