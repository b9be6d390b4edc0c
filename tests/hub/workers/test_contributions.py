"""What leaving a delta out tells: liars and free riders rank last, in a round of the real engine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from skills.container import digest_of
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport
from skills.skill import Skill
from tests.hub.conftest import (
    Hall,
    Hands,
    Robot,
    StubGate,
    Tensors,
    ok,
    random_tensors,
    small_settings,
    tiny_skill,
)

BASE = tiny_skill()
AIM = random_tensors(BASE, 99)
HONEST, LIARS = 6, 3


def flat(tensors: Tensors) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(tensors[name]).astype(np.float64) for name in sorted(AIM)])


class DistanceGate(StubGate):
    """The nearer the network is to the aim, the more it returns; its success is always the same."""

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        report = super().__call__(candidate, current, plan)
        away = float(np.linalg.norm(flat(candidate.tensors) - flat(BASE.tensors) - flat(AIM)))
        score = report.candidate.model_copy(update={"mean_return": -away})
        return report.model_copy(update={"candidate": score})


def sent(number: int, rng: np.random.Generator) -> Tensors:
    """A step to the aim as robots find it; liars go back, elsewhere, or back a little; one does nothing."""
    towards, noise = ([(0.1, 0.1)] * HONEST + [(-0.1, 0.1), (0.0, 0.3), (-0.05, 0.1), (0.0, 0.0)])[number]
    return {name: towards * value + noise * rng.normal(size=value.shape) for name, value in AIM.items()}


def rank_of_liars(good: list[float], bad: list[float]) -> float:
    """Area under the curve: how often somebody honest is above a liar."""
    return float(np.mean([[one > other for other in bad] for one in good]))


def ten_robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(BASE))
    return [hall.enrol(f"robot-{number}") for number in range(HONEST + LIARS + 1)]


@pytest.fixture
def measuring(tmp_path: Path) -> Hall:
    return Hall(small_settings(tmp_path / "hub"), DistanceGate(), Hands())


def test_liars_and_a_free_rider_rank_last(measuring: Hall) -> None:
    hall = measuring
    robots, rng = ten_robots(hall), np.random.default_rng(0)
    campaign = hall.start(quorum=10, contributions=True, merge={"momentum": 0.0, "step": 1.0})
    hall.turn()
    good, bad = [], []
    for number_of_round in range(3):
        honest = set()
        for number, robot in enumerate(robots):
            work = robot.assignment()
            assert work is not None
            data = robot.delta(work, sent(number, rng))
            ok(robot.push(work.round_id, data))
            if number < HONEST:
                honest.add(digest_of(data))
        before = len(hall.gate.asked)
        hall.turn()
        gate = hall.campaign(campaign).rounds[number_of_round].gate
        assert gate is not None
        assert len(gate.contributions) == len(robots)
        assert len(hall.gate.asked) - before >= 1 + len(robots)
        good += [effect for digest, effect in gate.contributions.items() if digest in honest]
        bad += [effect for digest, effect in gate.contributions.items() if digest not in honest]
    hall.close()
    assert rank_of_liars(good, bad) >= 0.95


def test_nobody_is_left_out_unless_the_campaign_asks(hall: Hall) -> None:
    robots = ten_robots(hall)[:2]
    campaign = hall.start()
    hall.turn()
    for robot in robots:
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, random_tensors(BASE, 3))))
    hall.turn()
    gate = hall.campaign(campaign).rounds[0].gate
    assert gate is not None
    assert gate.contributions == {}


def test_a_rule_must_be_able_to_do_with_one_delta_less(hall: Hall) -> None:
    ok(hall.publish(BASE))
    order = {"skill": "reach", "quorum": 3, "merge": {"rule": "krum", "options": {"byzantine": 0}}}
    hall.error(hall.post("/campaigns", {**order, "contributions": True}), 422)
    hall.error(hall.post("/campaigns", {"skill": "reach", "quorum": 1, "contributions": True}), 422)
    ok(hall.post("/campaigns", order))
