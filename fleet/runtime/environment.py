"""A `gymnasium.Env`, such as a twin or somebody's own cell, as a robot: made once, and then stays open."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.own_robot import Env, Guarded
from fleet.place import RobotError
from fleet.runtime.loop import Clock
from fleet.runtime.robot import Joints, Numbers, Observed

__all__ = ["EnvironmentRobot"]


class EnvironmentRobot:
    """An environment steps when it is told an action, and stands still meanwhile.

    Args:
        env: Its failures become `RobotError`.
        clock: Stamps what it observes.
        seed: Of its first job.
    """

    def __init__(self, env: Env, clock: Clock, seed: int | None = None) -> None:
        self._env, self._clock, self._seed = Guarded(env), clock, seed
        self._observed: Observed | None = None

    def connect(self) -> None:
        """Nothing moves before the first action."""

    def observe(self) -> Observed:
        """What the last step gave; a new job begins after one that was over."""
        if self._observed is None:
            numbers, _ = self._env.reset(seed=self._seed)
            self._seed = None
            self._observed = Observed(numbers, self._clock.now(), joints=self._joints())
        observed = self._observed
        if observed.over:
            self._observed = None
        return observed

    def send(self, action: Numbers) -> NDArray[Any]:
        """One step of the environment."""
        if self._observed is None:
            raise RobotError("an action before anything was observed.", where="env", remedy="Observe first.")
        numbers, _, terminated, truncated, info = self._env.step(action)
        over = bool(terminated or truncated)
        success = bool(info["success"]) if over and "success" in info else None
        self._observed = Observed(numbers, self._clock.now(), over, success, joints=self._joints())
        return action

    def hold(self) -> None:
        """It stands still as long as it is not stepped, and what it sensed stays true."""
        if self._observed is not None and not self._observed.over:
            seen = self._observed
            self._observed = Observed(np.asarray(seen.numbers), self._clock.now(), joints=seen.joints)

    def disconnect(self) -> None:
        """Close it."""
        self._env.close()  # type: ignore[no-untyped-call]  # Gymnasium's

    def _joints(self) -> Joints | None:
        """What `envs.single.TaskEnv.joints` gives, where the environment has such a method."""
        if not self._env.has_wrapper_attr("joints"):
            return None
        sensed = self._env.get_wrapper_attr("joints")()
        return None if sensed is None else Joints(*np.asarray(sensed, np.float64))
