"""Sums of jobs count once whatever is lost; what is usual comes of enough robots; alarms are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from hub.health.usual import merge_usual
from hub.storage.tables.health import HealthRow
from skills.health import Floats, Sums
from skills.messages.health import HealthAnswer, HealthReport, HealthState, JobSums
from tests.hub.conftest import Hall, Robot, ok, tiny_skill

NAMES = ("friction-1", "lag")
WORN = HealthState(jobs=9, height=20.0, limit=13.0, worn_since=datetime(2026, 1, 1, tzinfo=UTC), figure="lag")


def jobs_of(seed: int, count: int = 20) -> Floats:
    jobs: Floats = np.random.default_rng(seed).normal(size=(count, 2)) @ np.array([[1.0, 0.0], [0.5, 2.0]])
    return jobs


def say(robot: Robot, sums: JobSums | None = None, state: HealthState | None = None) -> HealthAnswer:
    report = HealthReport(skill="reach", figures=NAMES, sums=sums, state=state)
    body = report.model_dump_json().encode()
    answer = robot.request("POST", "/robots/me/health", body, **{"Content-Type": "application/json"})
    return HealthAnswer.model_validate_json(ok(answer).content)


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(tiny_skill()))
    return [hall.enrol(f"robot {number}") for number in range(4)]


def test_what_is_usual_is_the_flat_covariance_of_all_and_comes_of_enough_robots(
    hall: Hall, robots: list[Robot]
) -> None:
    for number, robot in enumerate(robots[:3]):
        answer = say(robot, JobSums.of(jobs_of(number), 0, 20))
        assert (answer.counted, answer.model) == (20, None)
    answer = say(robots[3], JobSums.of(jobs_of(3)[:12], 0, 12))
    answer = say(robots[3], JobSums.of(jobs_of(3)[12:], 12, 20))
    assert answer.model is not None
    assert (answer.model.robots, answer.model.count) == (4, 80)
    flat = np.cov(np.concatenate([jobs_of(number) for number in range(4)]).T)
    np.testing.assert_allclose(answer.model.covariance, flat, rtol=1e-12)
    other = hall.enrol("another arm", "panda")
    assert say(other).model is None


def test_nothing_counts_twice_whatever_was_lost(robots: list[Robot]) -> None:
    ada, jobs = robots[0], jobs_of(0)
    first = JobSums.of(jobs[:10], 0, 10)
    assert say(ada, first).counted == 10
    assert say(ada, first).counted == 10  # the answer was lost
    assert say(ada, JobSums.of(jobs, 0, 20)).counted == 10  # and more was done meanwhile: it hears, and
    assert say(ada, JobSums.of(jobs[10:], 10, 20)).counted == 20
    for number, robot in enumerate(robots[1:], 1):
        answer = say(robot, JobSums.of(jobs_of(number), 0, 20))
    assert answer.model is not None
    assert answer.model.count == 80


def test_who_only_asks_leaves_no_trace(hall: Hall, robots: list[Robot]) -> None:
    say(robots[0])
    with hall.services.storage.database.read() as session:
        assert session.scalars(select(HealthRow)).all() == []


@pytest.mark.parametrize(
    "broken",
    [
        {"mean": [0.0]},
        {"mean": [0.0, 1e9]},
        {"scatter": [1.0, 5.0, 1.0]},
        {"scatter": [-1.0, 0.0, 1.0]},
        {"count": 11},
        {"count": 0},
    ],
)
def test_what_no_jobs_can_have_given_is_refused(robots: list[Robot], broken: dict[str, Any]) -> None:
    sums = {"after": 0, "upto": 10, "count": 10, "mean": [0.0, 0.0], "scatter": [1.0, 0.0, 1.0]} | broken
    body = json.dumps({"skill": "reach", "figures": NAMES, "sums": sums}).encode()
    answer = robots[0].request("POST", "/robots/me/health", body, **{"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert say(robots[0]).counted == 0


def test_a_worn_machine_is_told_once_and_once_more_when_it_was_looked_after(
    hall: Hall, robots: list[Robot]
) -> None:
    ada = robots[0]
    for _ in range(2):
        say(ada, state=WORN)
    (shown,) = hall.get(f"/robots/{ada.robot_id}/health")
    assert shown["state"]["figure"] == "lag"
    say(ada, state=WORN.model_copy(update={"jobs": 10}))
    say(ada, state=HealthState())
    told = [each for each in hall.get("/events/past") if each["kind"] in {"robot.worn", "robot.renewed"}]
    assert [each["kind"] for each in told] == ["robot.renewed", "robot.worn"]
    assert told[1]["data"]["robot_id"] == ada.robot_id
    assert told[1]["data"]["figure"] == "lag"


def test_a_withdrawn_robot_takes_its_sums_along(hall: Hall, robots: list[Robot]) -> None:
    fifth = hall.enrol("robot 4")
    for number, robot in enumerate([*robots, fifth]):
        say(robot, JobSums.of(jobs_of(number), 0, 20))
    ok(hall.post(f"/robots/{fifth.robot_id}/withdrawal", {}))
    assert (usual := say(robots[0]).model) is not None
    assert usual.robots == 4
    while hall.services.withdrawals.worker.work() == 0.0:
        pass
    with hall.services.storage.database.read() as session:
        left = set(session.scalars(select(HealthRow.robot_id)))
    assert left == {each.robot_id for each in robots}
    model = say(robots[0]).model
    assert model is not None
    never = Sums.of(jobs_of(0))
    for number in range(1, 4):
        never = never.merged(Sums.of(jobs_of(number)))
    assert (model.robots, model.count) == (4, 80)
    np.testing.assert_allclose(model.covariance, never.covariance, rtol=1e-12)


def test_one_whose_jobs_vary_a_thousand_times_more_is_left_out_and_one_alone_has_no_more_weight() -> None:
    honest = [Sums.of(jobs_of(number, 40)) for number in range(5)]
    liar = Sums.of(1000 * jobs_of(9, 40))
    assert merge_usual([*honest, liar], 4) is not None
    found = merge_usual([*honest, liar], 4)
    flat = merge_usual(honest, 4)
    assert found is not None
    assert flat is not None
    assert found[1] == 5
    np.testing.assert_array_equal(found[0].scatter, flat[0].scatter)
    assert merge_usual([*honest[:3], liar], 4) is None
    many = Sums(10**6, honest[0].mean, honest[0].scatter * 10**6 / 40)
    limited = merge_usual([many, *honest[1:]], 4)
    assert limited is not None
    assert limited[0].count == 1000 + 4 * 40
