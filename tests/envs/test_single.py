"""The same task as a plain Gymnasium environment, by name."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.registration import registered_name
from envs.scripted import controller
from envs.single import TaskEnv
from envs.task import load_task
from envs.workshop import load_workshop

WELD_SEAM = registered_name("weld-seam")


@pytest.mark.parametrize("embodiment", ["ur5e", "sawyer"])
def test_gymnasiums_own_checker_accepts_it(embodiment: str) -> None:
    env = gymnasium.make(WELD_SEAM, embodiment=embodiment)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped, skip_render_check=True)


def test_registering_twice_is_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        envs.register()


def test_gymnasium_itself_imports_envs_when_the_name_says_so() -> None:
    code = f"import gymnasium; print(gymnasium.make('envs:{WELD_SEAM}', embodiment='panda').action_space)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "(5,)" in done.stdout


def test_the_vector_form_is_made_by_name_too() -> None:
    env = gymnasium.make_vec(
        WELD_SEAM, num_envs=3, vectorization_mode="vector_entry_point", workshop=load_workshop("pipe-rack")
    )
    assert env.reset(seed=0)[0].shape == (3, 37)


def test_one_environment_lives_the_same_life_as_the_first_of_a_vector_of_one() -> None:
    shop = load_workshop("weave-bench")
    env = TaskEnv("weld-seam", workshop=shop)
    policy = controller("pd-look-ahead", load_task("weld-seam"))
    observation, _ = env.reset(seed=1)
    total, steps, over = 0.0, 0, False
    while not over:
        observation, reward, failed, ended, info = env.step(policy.act(observation))
        total, steps, over = total + float(reward), steps + 1, failed or ended
    assert steps == 100
    assert total > 70
    assert info == {"success": True}
    again, _ = env.reset(seed=1)
    assert np.array_equal(again, TaskEnv("weld-seam", workshop=shop).reset(seed=1)[0])


RENDER = """
import numpy as np
from envs.single import TaskEnv
env = TaskEnv("weld-seam", "iiwa", render_mode="rgb_array")
env.reset(seed=0)
image = env.render()
env.close()
print(image.shape, image.dtype, image.std() > 10)
"""


def test_the_cell_can_be_looked_at() -> None:
    # In a process of its own: MuJoCo chooses its GL once, when it is imported.
    environment = {**os.environ, "MUJOCO_GL": "egl"}
    done = subprocess.run(
        [sys.executable, "-c", RENDER], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode != 0 and "EGL" in done.stderr:
        pytest.skip("no EGL on this machine")
    assert done.stdout.strip() == "(480, 640, 3) uint8 True", done.stderr


def test_without_a_render_mode_nothing_is_drawn() -> None:
    env = TaskEnv("weld-seam", "iiwa")
    env.reset(seed=0)
    assert env.render() is None
