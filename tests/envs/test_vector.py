"""The vector environment: Gymnasium's contract, repeatability, and what a robot senses."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from envs.scripted import controller
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import Workshop, load_workshop

TASK = load_task("weld-seam")
SHOP = load_workshop("frame-corners")


def make_shop(embodiment: str = "ur5e", **figures: Any) -> Workshop:
    return Workshop(name="made", task="weld-seam", embodiment=embodiment, figures=figures)


FINGERPRINT = """
import hashlib, sys
import numpy as np
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import load_workshop
env = make_vector_env(load_task("weld-seam"), load_workshop("frame-corners"), 6, 3, threads=int(sys.argv[1]))
random, digest = np.random.default_rng(0), hashlib.sha256()
observation, _ = env.reset()
for step in range(110):
    observation, reward, failed, ended, _ = env.step(random.uniform(-0.3, 0.3, (6, 5)).astype(np.float32))
    for part in (observation, reward, failed, ended):
        digest.update(part.tobytes())
print(digest.hexdigest())
"""


def fingerprint(threads: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT, str(threads)], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_the_same_seed_repeats_bit_for_bit_in_other_processes_and_on_two_threads() -> None:
    first = fingerprint(1)
    assert len(first) == hashlib.sha256().digest_size * 2
    assert fingerprint(1) == first
    assert fingerprint(2) == first


def test_another_seed_gives_other_jobs() -> None:
    env = make_vector_env(TASK, SHOP, 4, seed=1)
    first, _ = env.reset()
    other, _ = env.reset(seed=2)
    again, _ = env.reset(seed=1)
    assert not np.allclose(first, other)
    assert np.array_equal(first, again)


def test_spaces_and_types_are_gymnasiums() -> None:
    env = make_vector_env(TASK, SHOP, 3, seed=0)
    assert env.metadata["autoreset_mode"] == AutoresetMode.NEXT_STEP
    observation, infos = env.reset()
    assert observation in env.observation_space
    assert observation.dtype == np.float32
    assert infos == {}
    observation, reward, failed, ended, infos = env.step(env.action_space.sample())
    assert observation in env.observation_space
    assert reward.shape == failed.shape == ended.shape == (3,)
    assert failed.dtype == ended.dtype == np.bool_
    assert infos == {}


def test_an_episode_ends_after_the_horizon_and_the_next_step_only_resets() -> None:
    env = make_vector_env(TASK, SHOP, 4, seed=5)
    policy = controller("pd-look-ahead", TASK)
    observation, _ = env.reset()
    for _ in range(TASK.horizon - 1):
        observation, _, failed, ended, infos = env.step(policy.act(observation))
        assert not (failed | ended).any()
        assert infos == {}
    last, _, failed, ended, infos = env.step(policy.act(observation))
    assert ended.all()
    assert not failed.any()
    assert infos["_success"].all()
    assert infos["success"].dtype == np.bool_
    fresh, reward, failed, ended, infos = env.step(np.full((4, 5), 0.7, np.float32))
    assert not (failed | ended).any()
    assert np.all(reward == 0)
    assert infos == {}
    # The action of that step was ignored: the new episode begins with none.
    assert np.all(fresh[:, 27:] == 0)
    assert not np.allclose(fresh[:, :3], last[:, :3])


def test_leaving_the_seam_fails_that_copy_alone_and_only_it_starts_again() -> None:
    env = make_vector_env(TASK, SHOP, 3, seed=5)
    policy = controller("pd-look-ahead", TASK)
    observation, _ = env.reset()
    failed, infos = np.zeros(3, np.bool_), dict[str, np.ndarray]()
    for _ in range(50):
        if not failed.any():
            action = policy.act(observation)
            action[1, :3] = (0, 1, 1)
            observation, _, failed, _, infos = env.step(action)
    assert failed.tolist() == [False, True, False]
    assert infos["_success"].tolist() == [False, True, False]
    assert not infos["success"][1]
    before = observation.copy()
    observation, reward, failed, *_ = env.step(policy.act(observation))
    assert reward[1] == 0
    assert reward[0] != 0
    assert not failed.any()
    assert np.all(observation[1, 27:] == 0)
    assert np.allclose(observation[0, 20], before[0, 20])  # its job goes on


def test_a_robot_with_delay_starts_to_move_later() -> None:
    def first_motion(delay: int) -> int:
        shop = make_shop(delay=delay, noise=0.0)
        env = make_vector_env(TASK, shop, 1, seed=0)
        env.reset()
        for step in range(10):
            observation, *_ = env.step(np.zeros((1, 5), np.float32))
            if np.linalg.norm(observation[0, 17:20]) > 1e-3:
                return step
        return -1

    assert [first_motion(delay) for delay in (0, 1, 3)] == [0, 1, 3]


def test_a_sensor_turned_about_the_torch_turns_what_is_seen_but_not_what_is_done() -> None:
    def first_sight(yaw: float) -> np.ndarray:
        shop = make_shop(seams=("arc",), yaw_error=yaw, noise=0.0)
        return make_vector_env(TASK, shop, 8, seed=4).reset()[0]

    true, turned = first_sight(0.0), first_sight(0.07)
    cos, sin = np.cos(0.07), np.sin(0.07)
    turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    for first in range(0, 15, 3):
        assert np.allclose(true[:, first : first + 3] @ turn, turned[:, first : first + 3], atol=1e-5)
    # Tilt is sensed with noise of its own; velocity, feed and set-point are the robot's own.
    assert np.array_equal(true[:, 15:], turned[:, 15:])


@pytest.mark.parametrize("embodiment", ["ur5e", "kinova3"])
def test_turning_the_work_piece_hardly_changes_what_the_robot_sees(embodiment: str) -> None:
    def drive(heading: float) -> np.ndarray:
        shop = make_shop(embodiment, heading=(heading, heading), noise=0.0)
        env = make_vector_env(TASK, shop, 6, seed=2)
        policy = controller("pd-look-ahead", TASK)
        observation, _ = env.reset()
        for _ in range(50):
            observation, *_ = env.step(policy.act(observation))
        return observation

    # No joint is in the contract: only the arm's configuration-dependent inertia shows.
    assert np.abs(drive(0.0)[:, :15] - drive(2.0)[:, :15]).mean() < 0.1
