"""A stranger's environment is held to the contract, and told what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from envs.check import check_env
from envs.single import TaskEnv
from envs.task import load_task
from skills.errors import ContractError

CONTRACT = load_task("weld-seam").contract


class Stranger(gymnasium.Env[Any, Any]):
    """A robot with the right spaces; tests break one thing each."""

    def __init__(self, **broken: Any) -> None:
        self.observation_space = broken.get("observation_space", Box(-10, 10, (37,), np.float32))
        self.action_space = broken.get("action_space", Box(-1, 1, (5,), np.float32))
        self.broken = broken
        self.actions: list[Any] = []

    def reset(self, *, seed: int | None = None, **_: Any) -> Any:
        super().reset(seed=seed)
        return self.broken.get("reset", (self.observe(), {}))

    def step(self, action: Any) -> Any:
        self.actions.append(action)
        result: Any = (
            self.observe(),
            self.broken.get("reward", 0.5),
            self.broken.get("over", False),
            False,
            {},
        )
        return self.broken.get("step", lambda usual: usual)(result)

    def observe(self) -> Any:
        change: Callable[[Any], Any] = self.broken.get("observe", lambda usual: usual)
        return change(np.zeros(37, np.float32))


def dropped_out(observation: Any) -> Any:
    observation[25] = np.nan
    return observation


def test_our_own_environment_passes() -> None:
    check_env(TaskEnv("weld-seam", "panda"), CONTRACT)


def test_a_fitting_robot_passes_and_is_sent_nothing_but_zeros() -> None:
    robot = Stranger()
    check_env(robot, CONTRACT)
    assert len(robot.actions) == 3
    assert not np.any(robot.actions)


def test_a_robot_whose_episode_ends_at_once_is_reset() -> None:
    check_env(Stranger(over=True), CONTRACT)


@pytest.mark.parametrize(
    ("broken", "where", "said"),
    [
        ({"observation_space": Box(-1, 1, (36,), np.float32)}, "observation_space", "(37,)"),
        ({"observation_space": Box(-1, 1, (37,), np.float64)}, "observation_space", "float64"),
        ({"observation_space": Discrete(3)}, "observation_space", "not a Box"),
        ({"action_space": Box(-2, 2, (5,), np.float32)}, "action_space", "bounds"),
        ({"action_space": Box(-1, 1, (7,), np.float32)}, "action_space", "(5,)"),
        ({"reset": np.zeros(37, np.float32)}, "reset", "(observation, info)"),
        ({"reset": (np.zeros(36, np.float32), {})}, "reset", "37 numbers"),
        ({"observe": lambda seen: seen.tolist()}, "reset", "list"),
        ({"observe": lambda seen: seen.astype(np.float64)}, "reset", "float64"),
        ({"observe": dropped_out}, "reset", "lead_tilt[0]"),
        ({"reward": float("nan")}, "step 1", "nan"),
        ({"reward": np.zeros(1)}, "step 1", "reward"),
        ({"over": 0}, "step 1", "booleans"),
        ({"step": lambda usual: usual[:4]}, "step 1", "five"),
        ({"step": lambda usual: (*usual[:4], None)}, "step 1", "NoneType"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(broken: dict[str, Any], where: str, said: str) -> None:
    with pytest.raises(ContractError) as caught:
        check_env(Stranger(**broken), CONTRACT)
    assert caught.value.where == where
    assert said in caught.value.message
    assert caught.value.remedy
