"""Solvability: a controller written by hand does the task on every arm, in workshops nobody tuned for."""

from __future__ import annotations

import numpy as np
import pytest

from envs.evaluate import evaluate_many, pool
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import FLEET, fresh_workshop, load_workshop

TASK = load_task("weld-seam")


@pytest.mark.parametrize("arm", load_task("weld-seam").file.embodiments)
def test_look_ahead_control_solves_the_task_on_every_arm(arm: str) -> None:
    shops = [fresh_workshop(TASK.file, arm, seed) for seed in (101, 102, 103)]
    result = pool(evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 32, seed=5))
    assert result.score >= 0.85, result


def test_look_ahead_control_solves_every_workshop_of_the_fleet_and_beats_reacting() -> None:
    shops = [load_workshop(name) for name in FLEET]
    ahead = evaluate_many(controller("pd-look-ahead", TASK), TASK, shops, 32, seed=6)
    assert min(each.score for each in ahead) >= 0.85
    plain = evaluate_many(controller("p", TASK), TASK, shops, 32, seed=6)
    assert pool(ahead).low > pool(plain).high


def test_one_observation_and_many_get_the_same_answer() -> None:
    seen = np.random.default_rng(0).normal(size=(7, 37)).astype(np.float32)
    for policy in (controller("p", TASK), controller("pd-look-ahead", TASK)):
        many = policy.act(seen)
        assert many.shape == (7, 5)
        assert many.dtype == np.float32
        assert np.abs(many).max() <= 1
        assert np.array_equal(policy.act(seen[3]), many[3])
