"""A simulated cell whose time passes whether anybody commands it or not; who tells it the time is passed in.

One control step of the environment is one period. Sockets are `fleet.cell.server`'s,
faults `fleet.cell.faults`'.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleet.cell.faults import Faults, Sample
from fleet.cell.machine import MachineEnv, Wear
from fleet.own_robot import Env
from fleet.place import RobotError
from skills.manifest import Contract

__all__ = ["Cell", "Seen"]

WATCHDOG = 5
"""Periods without a command after which the cell stands still by itself."""
HISTORY = 512
WEAR = ("friction", "backlash", "drift", "slow")
BEHIND = 10
"""Periods that are made up for; time beyond that is lost, as a controller's would be."""


class Seen(NamedTuple):
    """What a driver is told; `age` in seconds, `success` None where it is not known.

    `joints` are positions, velocities and efforts (3, joints) now, of a cell that has a machine.
    """

    age: float
    over: bool
    success: bool | None
    busy: bool
    numbers: NDArray[np.float64]
    joints: NDArray[np.float64] | None = None


class Cell:
    """One robot's simulation.

    Args:
        env: Steps once a period.
        contract: Its rate and sizes.
        seed: Of its first job, and of the noise that is ordered.

    Attributes:
        time: Seconds that have passed for it.
    """

    def __init__(self, env: Env, contract: Contract, seed: int = 0) -> None:
        self.contract = contract
        self.time = 0.0
        self._env = env
        self._machine = env if isinstance(env, MachineEnv) and env.is_arm else None
        self._seed: int | None = seed
        self.faults = Faults(np.random.default_rng([seed, 1]))
        self._period = 1 / contract.control_hz
        self._done = 0.0  # the moment up to which the simulation has come
        self._history: deque[Sample] = deque(maxlen=HISTORY)
        self._action = np.zeros(contract.action_size, np.float32)
        self._commanded_at = 0.0
        self._over = False
        self._success: bool | None = None

    def run_until(self, moment: float) -> None:
        """Let time pass; a job that has begun goes on meanwhile."""
        if moment - self._done > BEHIND * self._period:
            self._done = moment - BEHIND * self._period
        while moment - self._done > self._period * (1 - 1e-6):
            self._done += self._period
            self._step()
        self.time = moment

    def pass_period(self) -> None:
        """One period passes: for a cell whose time is its driver's."""
        self.run_until(self._done + self._period)

    def observe(self) -> Seen:
        """What is sensed; the first look after one that was over begins another job."""
        if not self._history:
            self._wear_down()
            numbers, _ = self._env.reset(seed=self._seed)
            self._seed = None
            self._history.append(Sample(self.time, np.asarray(numbers, np.float64)))
        sample = self.faults.sensed(self._history, self.time)
        busy = self.faults.value("busy", self.time) is not None
        joints = self._machine.joints() if self._machine else None
        seen = Seen(self.time - sample.taken_at, self._over, self._success, busy, sample.numbers, joints)
        if self._over:
            self.leave()
        return seen

    def command(self, action: NDArray[np.float64]) -> NDArray[np.float64]:
        """Move so until the next command, or until the watchdog ends it; returns what is really done.

        Raises:
            RobotError: It is no action.
        """
        if action.shape != self._action.shape or not np.isfinite(action).all():
            raise RobotError(
                "that is no action.", where="cell", remedy="Send finite numbers, as many as said."
            )
        self._action = np.clip(action, -1, 1).astype(np.float32)
        self._commanded_at = self.time
        return self._action.astype(np.float64)

    def hold(self) -> None:
        """Stand still."""
        self._action = np.zeros_like(self._action)
        self._commanded_at = self.time

    def leave(self) -> None:
        """The job is left where it is, and the next look begins another."""
        self.hold()
        self._history.clear()
        self._over, self._success = False, None

    @property
    def joints(self) -> int:
        """How many are sensed."""
        return 0 if self._machine is None else self._machine.machine.joints().shape[-1]

    def _wear_down(self) -> None:
        """The wear that is due, from this job on."""
        if self._machine:
            due = {kind: self.faults.value(kind, self.time) or 0.0 for kind in WEAR}
            self._machine.machine.wear = Wear(
                friction=due["friction"],
                backlash=due["backlash"] / 1000,
                drift=due["drift"] / 1000,
                delay=round(due["slow"]),
            )

    def _step(self) -> None:
        if not self._history or self._over:
            return
        if self._done - self._commanded_at > WATCHDOG * self._period:
            self._action = np.zeros_like(self._action)
        numbers, _, terminated, truncated, info = self._env.step(self._action)
        self._history.append(Sample(self._done, np.asarray(numbers, np.float64)))
        self._over = bool(terminated or truncated)
        self._success = bool(info["success"]) if self._over and "success" in info else None
