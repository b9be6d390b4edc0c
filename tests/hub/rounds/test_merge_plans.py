"""Campaigns with rules and server optimisers: what an order may say, and what its rounds make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.hub.conftest import Hall, Robot, ok, tensors_like, tiny_skill

BASE = tiny_skill()
Fills = tuple[float, ...]


def run_round(hall: Hall, robots: list[Robot], fills: Fills) -> float:
    """Each robot brings its fill; returns how far the weights moved."""
    before = hall.skill("stable").tensors["log_std"][0]
    for robot, fill in zip(robots, fills, strict=True):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, tensors_like(BASE, fill), codec="fp16")))
    hall.turn()
    return float(hall.skill("stable").tensors["log_std"][0] - before)


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(BASE))
    return [hall.enrol(f"robot {number}") for number in range(5)]


def start(hall: Hall, robots: list[Robot], **merge: Any) -> str:
    plan = {"momentum": 0.0, "step": 1.0, **merge}
    campaign = hall.start(rounds=1, quorum=len(robots), merge=plan)
    hall.turn()
    return campaign


@pytest.mark.parametrize(
    ("merge", "expected"),
    [
        ({"rule": "mean"}, -0.04),
        ({"rule": "median"}, 0.2),
        ({"rule": "trimmed-mean", "options": {"trim": 0.2}}, 0.5 / 3),
        ({"rule": "krum", "options": {"byzantine": 1}}, 0.2),
        ({"rule": "multi-krum", "options": {"byzantine": 1, "select": 2}}, 0.2),
        ({"rule": "mda", "options": {"byzantine": 1}}, 0.2),
        ({"rule": "mean", "clip": 1.0}, (0.1 + 0.2 + 0.2 + 0.2 - 0.2) / 5),
        ({"rule": "trimmed-mean", "options": {"trim": 0.2, "byzantine": 1}, "mixing": True}, 0.2),
    ],
)
def test_a_round_is_merged_by_the_campaigns_rule(
    hall: Hall, robots: list[Robot], merge: dict[str, Any], expected: float
) -> None:
    start(hall, robots, **merge)
    moved = run_round(hall, robots, (0.1, 0.2, 0.2, 0.3, -1.0))
    assert moved == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("merge", "where"),
    [
        ({"rule": "avarage"}, "body.merge.rule"),
        ({"rule": "trimmed-mean", "options": {"trimm": 0.1}}, "options.trimm"),
        ({"rule": "trimmed-mean", "options": {"trim": 0.5}}, "options.trim"),
        ({"rule": "krum"}, "options.byzantine"),
        ({"rule": "krum", "options": {"byzantine": 2}}, "options.byzantine"),
        ({"rule": "mean", "mixing": True}, "options.byzantine"),
        ({"clip": 0}, "body.merge.clip"),
        ({"optimiser": "sgd"}, "body.merge.optimiser"),
        ({"max_staleness": -1}, "body.merge.max_staleness"),
    ],
)
def test_an_order_that_cannot_be_merged_is_refused_at_once(
    hall: Hall, robots: list[Robot], merge: dict[str, Any], where: str
) -> None:
    order = {"skill": "reach", "quorum": len(robots), "merge": merge}
    error = hall.error(hall.post("/campaigns", order), 422)
    assert error["where"] == where
    assert error["remedy"]
    assert hall.get("/campaigns") == []


def test_a_quorum_too_small_for_the_rule_is_refused_with_a_remedy(hall: Hall, robots: list[Robot]) -> None:
    merge = {"rule": "bulyan", "options": {"byzantine": 1}}
    error = hall.error(hall.post("/campaigns", {"skill": "reach", "quorum": 6, "merge": merge}), 422)
    assert "needs 7 updates or more, not 6" in error["message"]
    assert "larger quorum" in error["remedy"]
    ok(hall.post("/campaigns", {"skill": "reach", "quorum": 7, "merge": merge}))
    assert robots


def test_an_optimisers_state_belongs_to_the_skill_and_survives_its_campaign(
    hall: Hall, robots: list[Robot]
) -> None:
    pair = robots[:2]
    for expected in (0.1, 0.15):
        start(hall, pair, momentum=0.5)
        assert run_round(hall, pair, (0.1, 0.1)) == pytest.approx(expected, rel=1e-3)
    start(hall, pair, optimiser="adam")
    first = 0.01 * 0.01 / (np.sqrt(0.99e-6 + 0.01 * 0.01) + 1e-3)
    assert run_round(hall, pair, (0.1, 0.1)) == pytest.approx(first, rel=1e-3)
    start(hall, pair, optimiser="adam")
    second = run_round(hall, pair, (0.1, 0.1))
    assert second == pytest.approx(0.01 * 0.019 / (np.sqrt(0.9801e-6 + 0.0199 * 0.01) + 1e-3), rel=1e-3)


def test_a_refused_candidate_does_not_move_the_optimiser(hall: Hall, robots: list[Robot]) -> None:
    pair = robots[:2]
    hall.gate.scores[2] = 0.0
    start(hall, pair, optimiser="yogi")
    assert run_round(hall, pair, (0.5, 0.5)) == 0
    start(hall, pair, optimiser="yogi")
    alone = 0.01 * 0.01 / (np.sqrt(1e-6 + 0.01 * 0.01) + 1e-3)
    assert run_round(hall, pair, (0.1, 0.1)) == pytest.approx(alone, rel=1e-3)
