"""The loop that moves a robot: observe, guard, act, guard, send, at the contract's rate.

By absolute deadlines: a period that was missed is left out and never made up for, as two commands in a burst
are a jerk. Who acts, which job comes next and what is reported is left to `fleet.runtime.drive`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from fleet.place import RobotError
from fleet.runtime.counters import Counters
from fleet.runtime.guards import ActionLimits, Floats, Limits, limited, objection, refused_action
from fleet.runtime.robot import Numbers, Observed, Robot
from fleet.runtime.state import READY, Standing, after, failed, rested
from skills.errors import ZunftError
from skills.manifest import Contract
from skills.player import Player

__all__ = ["Clock", "Job", "Loop", "Monotonic", "Outcome"]

ROUNDING = 1e-6  # of a period
Outcome = Literal["done", "failed", "unknown", "too long", "stopped", "ended"]


class Clock(Protocol):
    """Time that never goes back."""

    def now(self) -> float:
        """Seconds."""

    def sleep_until(self, moment: float) -> None:
        """Return then, or at once where it has passed."""


class Monotonic:
    """The machine's."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep_until(self, moment: float) -> None:
        """See `Clock`."""
        if (left := moment - time.monotonic()) > 0:
            time.sleep(left)


@dataclass(frozen=True)
class Job:
    """How a job ended, after so many periods; `ended`: somebody wanted the loop to end.

    `busy` is what the robot said at the end, see `Observed`.
    """

    outcome: Outcome
    periods: int
    reason: str = ""
    busy: bool = False


class Loop:
    """Drives one robot, job after job.

    Args:
        robot: Connected.
        contract: Of the skill.
        limits: The owner's.
        clock: The time; the robot's observations are stamped by the same.
        counters: Told of everything.
        is_over: Asked each period whether to end; then the robot holds within that period.
        speed: Share of their speed at which velocities are sent.

    Attributes:
        standing: Once it is stopped no job moves the robot; a person begins with another loop.
    """

    def __init__(
        self,
        robot: Robot,
        contract: Contract,
        limits: Limits,
        clock: Clock,
        counters: Counters,
        *,
        is_over: Callable[[], bool] = lambda: False,
        speed: float = 1.0,
    ) -> None:
        self._robot, self._contract, self._limits = robot, contract, limits
        self._actions = ActionLimits.of(limits, contract, speed)
        self._clock, self._counters, self._is_over = clock, counters, is_over
        self.standing: Standing = READY
        self._last: Floats = np.zeros(contract.action_size)
        self._change: Floats = np.zeros(contract.action_size)
        self._before: Numbers = np.full(contract.observation_size, np.nan, np.float32)
        self._repeats = 0

    def do_job(self, player: Player, longest: int) -> Job:
        """Do a job; at its end the robot holds, whatever happened.

        Args:
            player: Whose actions are sent; its memory begins anew.
            longest: Periods after which a job is given up.
        """
        self._rest()
        self.standing = rested(self.standing)
        try:
            job = self._run(player.begin(), longest)
        finally:
            self._hold()
        self._counters.job(job.outcome)
        return job

    def _run(self, player: Player, longest: int) -> Job:
        period, start, number = 1 / self._contract.control_hz, self._clock.now(), 0
        while number < longest:
            due = start + number * period
            self._clock.sleep_until(due)
            self._counters.period(self._clock.now() - due)
            if self._is_over():
                return Job("ended", number)
            observed = self._step(player, due + self._limits.budget * period)
            if self.standing.state == "stopped":
                return Job("stopped", number, self.standing.reason)
            if observed is not None and observed.over:
                return Job(_outcome(observed), number, busy=observed.busy)
            passed = max(number + 1, math.ceil((self._clock.now() - start) / period - ROUNDING))
            self._counters.left_out(passed - number - 1)
            number = passed
        return Job("too long", number)

    def _step(self, player: Player, latest: float) -> Observed | None:
        """One period; what was observed, or None where the robot failed."""
        try:
            observed = self._robot.observe()
            if not observed.over:
                self._move(player, observed, latest)
        except RobotError as error:
            self._counters.guard("robot")
            self.standing = failed(self.standing, f"robot: {error.message}")
            return None
        return observed

    def _move(self, player: Player, observed: Observed, latest: float) -> None:
        numbers = np.asarray(observed.numbers, np.float32)
        age = self._clock.now() - observed.taken_at
        against = objection(numbers, age, self._repeated(numbers), self._limits, self._contract)
        action = np.zeros(self._contract.action_size, np.float32)
        if not against:
            action, against = self._ask(player, numbers)
        if not against and self._clock.now() > latest:
            against = "deadline: the action came too late in its period"
        if against:
            self._counters.guard(against.partition(":")[0])
        self.standing = after(self.standing, against, self._limits.patience)
        if self.standing.state == "moving":
            self._send(action.astype(np.float64))
        else:
            self._rest()
            self._robot.hold()

    def _repeated(self, numbers: Numbers) -> int:
        """How often this very observation has come, while the robot moved; standing still, it may."""
        if not np.array_equal(numbers, self._before):
            self._before, self._repeats = numbers, 0
        elif self._last.any():
            self._repeats += 1
        return self._repeats

    def _ask(self, player: Player, numbers: Numbers) -> tuple[Numbers, str]:
        """What the player wants, and why it may not be sent."""
        try:
            action = np.asarray(player.act(numbers), np.float32)
        except ZunftError as error:  # a policy hands out no number that is none, but says so
            return np.zeros(self._contract.action_size, np.float32), f"action: {error.message}"
        return action, refused_action(action, self._contract)

    def _send(self, wanted: Floats) -> None:
        found = limited(self._actions.pace * wanted, self._last, self._change, self._actions)
        for name in found.by:
            self._counters.guard(name)
        sent = np.asarray(self._robot.send(found.action.astype(np.float32)), np.float64)
        self._change, self._last = sent - self._last, sent

    def _hold(self) -> None:
        """At rest, as far as the robot can still be told."""
        self._rest()
        with suppress(RobotError):
            self._robot.hold()

    def _rest(self) -> None:
        self._last, self._change = (np.zeros(self._contract.action_size) for _ in range(2))


def _outcome(observed: Observed) -> Outcome:
    return "unknown" if observed.success is None else "done" if observed.success else "failed"
