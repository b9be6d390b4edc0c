"""FLTrust's root from the gate: what gains there is trusted, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hub.merging import choose_engine
from hub.settings import Settings
from hub.workers.merge_round import Received
from hub.workers.trust import root_factors
from skills.delta import norm
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport, ScoreView
from skills.parts import policy_of
from skills.skill import Skill
from tests.hub.conftest import Hall, Hands, StubGate, Tensors, ok, random_tensors, tensors_like, tiny_skill

BASE = tiny_skill()
ENGINE = choose_engine("cpu")


class ReturnGate(StubGate):
    """Mean return by what the network's last tensor is; the success rate is always the same."""

    def __init__(self, merit: Callable[[float], float]) -> None:
        super().__init__()
        self.merit = merit
        self.measured = 0

    def __call__(self, candidate: Skill, current: Skill | None, plan: GatePlan) -> GateReport:
        self.measured += 1
        report = super().__call__(candidate, current, plan)
        found = self.merit(float(candidate.tensors["log_std"][0]))
        return report.model_copy(
            update={"candidate": report.candidate.model_copy(update={"mean_return": found})}
        )


def received(tensors: Tensors) -> Received:
    return Received(samples=1, success=None, norm=norm(tensors), staleness=0, tensors=tensors)


def test_the_root_is_made_of_what_gained_and_as_long_as_the_median_delta() -> None:
    start = float(BASE.tensors["log_std"][0])
    deltas = {
        "a": received(tensors_like(BASE, 0.1)),
        "b": received(tensors_like(BASE, 0.4)),
        "c": received(tensors_like(BASE, -0.2)),
    }
    gate = ReturnGate(lambda weight: weight - start)
    factors = root_factors(BASE, deltas, gate, GatePlan(), ENGINE)
    assert gate.measured == 4
    assert factors["c"] == 0
    # Gains .1 and .4 on directions of equal length.
    assert factors["b"] * deltas["b"].norm / (factors["a"] * deltas["a"].norm) == pytest.approx(4, rel=1e-5)
    root = tensors_like(BASE, factors["a"] * 0.1 + factors["b"] * 0.4)
    assert norm(root) == pytest.approx(deltas["c"].norm, rel=1e-6)


def test_where_nothing_gained_nothing_is_trusted() -> None:
    deltas = {"a": received(random_tensors(BASE, 0)), "b": received(tensors_like(BASE, 0.0))}
    assert root_factors(BASE, deltas, ReturnGate(lambda _: 1.0), GatePlan(), ENGINE) == {"a": 0, "b": 0}


def test_a_critic_that_stays_at_home_is_the_bases_where_a_delta_is_measured() -> None:
    start = float(BASE.tensors["log_std"][0])
    deltas = {name: received(policy_of(tensors_like(BASE, fill))) for name, fill in (("a", 0.1), ("b", -0.1))}
    factors = root_factors(BASE, deltas, ReturnGate(lambda weight: weight - start), GatePlan(), ENGINE)
    assert factors["a"] > 0 == factors["b"]


def test_without_returns_the_success_rate_decides() -> None:
    def gate(candidate: Skill, _current: Skill | None, _plan: GatePlan) -> GateReport:
        score = 0.5 + 0.1 * float(candidate.tensors["log_std"][0] > BASE.tensors["log_std"][0])
        view = ScoreView(score=score, low=0, high=1, episodes=1)
        return GateReport(passed=True, reason="", candidate=view, seconds=0)

    deltas = {"up": received(tensors_like(BASE, 0.1)), "down": received(tensors_like(BASE, -0.1))}
    factors = root_factors(BASE, deltas, gate, GatePlan(), ENGINE)
    assert factors["up"] > 0 == factors["down"]


def test_a_campaign_follows_the_robot_that_helps_and_records_the_root(
    settings: Settings, clock: Hands
) -> None:
    start = float(BASE.tensors["log_std"][0])
    hall = Hall(settings, ReturnGate(lambda weight: weight - start), clock)
    ok(hall.publish(BASE))
    robots = [hall.enrol(name) for name in ("honest", "liar", "loud liar")]
    hall.start(quorum=3, merge={"rule": "fltrust", "momentum": 0.0, "step": 1.0})
    hall.turn()
    for robot, fill in zip(robots, (0.1, -0.1, -1.0), strict=True):
        work = robot.assignment()
        assert work is not None
        ok(robot.push(work.round_id, robot.delta(work, tensors_like(BASE, fill))))
    hall.turn()
    step = hall.skill(2).tensors["log_std"] - BASE.tensors["log_std"]
    np.testing.assert_allclose(step, 0.1, rtol=1e-5)
    hall.close()
