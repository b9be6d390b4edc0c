"""Practice on the real robot within its owner's limits: the guards of the loop around a `gymnasium.Env`.

An environment has no word for holding: where a guard objects, the step fails and the robot is not stepped.
Several such in a row stop it, and so does its failure. When an observation was made an environment does not
say, so its age and the deadline are left to whoever made it.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from fleet.own_robot import Env
from fleet.place import RobotError
from fleet.robot_folder import RobotFolder
from fleet.runtime.guards import ActionLimits, Floats, Limits, limited, objection, refused_action
from fleet.runtime.state import READY, after, failed
from fleet.runtime.stop import keep_stop, stop_of
from skills.manifest import Contract

__all__ = ["GuardedEnv"]


class GuardedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """What trains sees the limits as part of the robot.

    Args:
        env: Its failures are `RobotError`.
        contract: Of the task.
        bench: Says what the owner allows (`[runtime]`), and keeps a stop.

    Raises:
        ArtefactError, ContractError: The owner's limits cannot be read, or mean nothing.
    """

    def __init__(self, env: Env, contract: Contract, bench: RobotFolder) -> None:
        super().__init__(env)
        self._contract, self._bench = contract, bench
        self._limits = bench.policy("runtime", Limits)
        self._actions = ActionLimits.of(self._limits, contract)
        self._standing = READY
        self._last: Floats = np.zeros(contract.action_size)
        self._change: Floats = np.zeros(contract.action_size)

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, at rest.

        Raises:
            RobotError: The robot is stopped, it failed, or what it senses may not be acted on.
        """
        self._check_released()
        self._rest()
        observation, info = self._guarded(lambda: self.env.reset(**options))
        self._look(observation)
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act once, by as much of the action as the limits leave.

        Raises:
            RobotError: See `reset`.
        """
        self._check_released()
        if against := refused_action(np.asarray(action, np.float32), self._contract):
            self._object(against)
        sent = limited(np.asarray(action, np.float64), self._last, self._change, self._actions).action
        self._change, self._last = sent - self._last, sent
        found = self._guarded(lambda: self.env.step(sent.astype(np.float32)))
        self._look(found[0])
        return found  # type: ignore[no-any-return]  # as the environment made it

    def _guarded(self, act: Any) -> Any:
        try:
            return act()
        except RobotError as error:
            self._standing = failed(self._standing, f"robot: {error.message}")
            keep_stop(self._bench, self._standing.reason)
            raise

    def _look(self, observation: Any) -> None:
        numbers = np.asarray(observation, np.float32)
        if against := objection(numbers, 0.0, 0, self._limits, self._contract):
            self._object(against)
        self._standing = after(self._standing, "", self._limits.patience)

    def _object(self, against: str) -> None:
        self._standing = after(self._standing, against, self._limits.patience)
        if self._standing.state == "stopped":
            keep_stop(self._bench, self._standing.reason)
        raise RobotError(f"a guard objects: {against}.", where="env", remedy="Look at the robot.")

    def _check_released(self) -> None:
        if reason := stop_of(self._bench):
            raise RobotError(
                f"this robot is stopped: {reason}",
                where="env",
                remedy="Look at it, then: zunft robot release.",
            )
        if self._standing.state == "stopped":
            self._standing = READY  # a person released it

    def _rest(self) -> None:
        self._last, self._change = (np.zeros(self._contract.action_size) for _ in range(2))
