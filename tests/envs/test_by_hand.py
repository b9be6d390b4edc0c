"""The compiled weld-seam gives the numbers of the environment that was written by hand."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from benchmarks.weld_seam_by_hand import HandWritten
from envs.scripted import controller
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import FLEET, load_workshop

TASK = load_task("weld-seam")


@pytest.mark.parametrize("name", FLEET)
def test_observations_rewards_and_good_steps_are_the_same(name: str) -> None:
    env = TaskVectorEnv(TASK, load_workshop(name), 16, seed=3)
    by_hand = HandWritten(TASK, env.workshop, 16)
    seen, _ = env.reset()
    by_hand.take_over(env, copy.deepcopy(env._noise))
    policy, random = controller("pd-look-ahead", TASK), np.random.default_rng(0)
    for _ in range(TASK.horizon):
        action = policy.act(seen) + random.uniform(-0.3, 0.3, (16, 5)).astype(np.float32)
        seen, gained, failed, _, infos = env.step(action)
        other, other_gained, other_failed, _ = by_hand.step(action)
        assert np.array_equal(seen, other)
        assert np.allclose(gained, other_gained, rtol=0, atol=1e-12)
        assert np.array_equal(failed, other_failed)
    assert np.array_equal(infos["success"], by_hand._good >= 72)
