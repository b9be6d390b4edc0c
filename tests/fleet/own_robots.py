"""Stand-ins for environments that people write for their own robots: one good, others wrong in one way."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.single import TaskEnv
from fleet.runtime.environment import EnvironmentRobot
from fleet.runtime.loop import Monotonic
from fleet.runtime.robot import Robot

Array = NDArray[Any]
Env = gymnasium.Env[Array, Array]

nothing_to_call = "not a function"


def make_good() -> Env:
    return TaskEnv("weld-seam", "panda")


def make_robot() -> Robot:
    return EnvironmentRobot(make_good(), Monotonic(), seed=0)


class Silent(gymnasium.Wrapper[Array, Array, Array, Array]):
    """Never says whether an episode succeeded."""

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        return *self.env.step(action)[:4], {}


def make_silent() -> Env:
    return Silent(make_good())


def make_with_a_sensor_missing() -> Env:
    env = make_good()
    env.observation_space = Box(-10, 10, (36,), np.float32)
    return env


def make_with_joint_commands() -> Env:
    env = make_good()
    env.action_space = Box(-1, 1, (6,), np.float32)
    return env


class Blind(gymnasium.ObservationWrapper[Array, Array, Array]):
    """A dropped-out sensor."""

    def observation(self, observation: Array) -> Array:
        observation[3] = np.nan
        return observation


def make_blind() -> Env:
    return Blind(make_good())


def make_a_dictionary() -> dict[str, int]:
    return {}


def make_trouble() -> Env:
    raise OSError("the controller does not answer")


class Watched(gymnasium.Wrapper[Array, Array, Array, Array]):
    """Counts what is asked of the robot; its controller falls silent at the steps in `faults`."""

    def __init__(self, faults: set[int] | None = None) -> None:
        super().__init__(make_good())
        self.faults = faults or set()
        self.steps = 0
        self.closed = 0

    def step(self, action: Array) -> tuple[Array, Any, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps in self.faults:
            raise OSError("the controller does not answer")
        return self.env.step(action)

    def close(self) -> None:
        self.closed += 1
        self.env.close()  # type: ignore[no-untyped-call]
