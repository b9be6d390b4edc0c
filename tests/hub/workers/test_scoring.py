"""One way to score: gate, board and whoever repeats a score get the same digits."""

from __future__ import annotations

from pathlib import Path

import pytest

from envs.replay import read_replay
from envs.task import load_task
from envs.wrapped import save_wrapped
from envs.wrapped_env import wrap
from hub.workers.gate import HeldOutGate
from hub.workers.scoring import made_with, score_skill, score_view
from skills.errors import ContractError
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import GatePlan
from tests.hub.conftest import tiny_skill
from tests.hub.workers.test_gate import weld_skill
from zunft.new_skill import new_skill

ARMS = ("ur5e", "iiwa")


def test_the_gate_has_the_digits_of_the_board() -> None:
    plan = GatePlan(embodiments=ARMS, seed=5, episodes=33, most=33)
    told: list[int] = []
    found = score_skill(weld_skill(0), load_task("weld-seam"), plan.draws(0), ARMS, tell=told.append)
    report = HeldOutGate()(weld_skill(0), None, plan)
    views = {robot: score_view(score) for robot, score in found.by_embodiment.items()}
    assert report.by_embodiment == views
    assert (sum(told), report.candidate.episodes, views["iiwa"].episodes) == (68, 68, 34)


def test_a_recorded_score_is_the_same_and_its_replay_is_of_the_first_workshop() -> None:
    task, draws = load_task("weld-seam"), BoardPlan(episodes=33).draws()
    plain = score_skill(weld_skill(0), task, draws, ARMS)
    found = score_skill(weld_skill(0), task, draws, ARMS, recorded=True)
    assert found.by_embodiment == plain.by_embodiment
    assert plain.replay is None
    assert found.replay is not None
    replay, _ = read_replay(found.replay)
    assert (replay.embodiment, replay.workshop, replay.seed) == (
        "ur5e",
        f"held-out-ur5e-{draws[0].workshop}",
        draws[0].jobs,
    )


def test_a_wrapped_environment_is_scored_and_has_no_replay(tmp_path: Path) -> None:
    save_wrapped(wrap("Reacher-v5", "reacher-v5"), tmp_path / "reacher-v5")
    task = load_task(tmp_path / "reacher-v5")
    found = score_skill(new_skill(task, seed=0), task, BoardPlan(episodes=2).draws(), recorded=True)
    assert set(found.by_embodiment) == {"gymnasium"}
    assert found.replay is None


def test_a_skill_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ContractError, match="does not fit"):
        score_skill(tiny_skill(task="weld-seam"), load_task("weld-seam"), BoardPlan(episodes=1).draws())


def test_what_computes_is_named() -> None:
    assert "mujoco" in made_with()
