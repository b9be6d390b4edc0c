"""A LeRobot robot, any `lerobot.robots.Robot`, as a robot here; docs/lerobot.md.

Which feature is which number is `fleet.runtime.features`' business, and how fast it may move the guards'. The
class is the caller's: this module imports nothing of the package, whose dependencies are many.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fleet.place import RobotError
from fleet.runtime.features import Features, Line, lines_of, start_of
from fleet.runtime.loop import Clock, Monotonic
from fleet.runtime.robot import Numbers, Observed, failures_named
from skills.errors import ContractError
from skills.manifest import Contract

__all__ = ["LeRobot", "LeRobotRobot"]


class LeRobot(Protocol):
    """What is used of `lerobot.robots.Robot`."""

    @property
    def observation_features(self) -> Mapping[str, Any]:
        """By name: `float` of a number, a shape of an image."""

    @property
    def action_features(self) -> Mapping[str, Any]:
        """The same."""

    @property
    def is_connected(self) -> bool:
        """Whether it is."""

    @property
    def is_calibrated(self) -> bool:
        """Whether its numbers mean what they say."""

    def connect(self, calibrate: bool = True) -> None:
        """Open the connection."""

    def get_observation(self) -> Mapping[str, Any]:
        """By feature."""

    def send_action(self, action: dict[str, Any]) -> Mapping[str, Any]:
        """By feature; what was really sent."""

    def disconnect(self) -> None:
        """Close the connection."""


class LeRobotRobot:
    """Drives it.

    Args:
        robot: LeRobot's.
        features: Which of its features is which number.
        contract: What they are numbers of.
        clock: The loop's.

    Raises:
        ContractError: The features do not fit the contract or the robot.
    """

    def __init__(
        self, robot: LeRobot, features: Features, contract: Contract, clock: Clock | None = None
    ) -> None:
        seen, told = robot.observation_features, robot.action_features
        self._robot, self._features, self._clock = robot, features, clock or Monotonic()
        self._observed = lines_of("observation", contract.observation, features.observation, seen)
        self._told = lines_of("action", contract.action, features.action, told)
        self._dt = 1 / contract.control_hz
        _check(self._told, features, set(seen), set(told))
        self._seen: Mapping[str, Any] = {}
        self._goals: dict[str, float] = {}  # places that it was told, by feature
        self._is_held = False

    def connect(self) -> None:
        """Open the connection, and hold. Nobody is asked to calibrate: that is done before.

        Raises:
            RobotError: It cannot be reached, or is not calibrated.
        """
        with _named():
            if not self._robot.is_connected:
                self._robot.connect(calibrate=False)
            if not self._robot.is_calibrated:
                self._robot.disconnect()
                raise RobotError("it is not calibrated.", where="lerobot", remedy="Run lerobot-calibrate.")
        self._look()
        self._is_held = False
        self.hold()

    def observe(self) -> Observed:
        """All numbers, as old as the question: LeRobot does not say when they were taken."""
        features = self._features
        asked = self._clock.now()
        said = self._look()
        with _named():
            numbers = np.array([each.number(float(said[each.feature])) for each in self._observed])
            over = bool(features.over and said[features.over])
            success = bool(said[features.success]) if over and features.success else None
            busy = bool(features.busy and said[features.busy])
        return Observed(numbers.astype(np.float32), asked, over, success, busy)

    def send(self, action: Numbers) -> NDArray[Any]:
        """Speeds, or places a period further where it is told those; returns what LeRobot says it sent."""
        self._is_held, told = False, self._told
        with _named():
            starts = [self._start(line) for line in told]
            spans = [self._dt if line.is_rate else 1.0 for line in told]
            steps = np.asarray(action, np.float64) / [line.factor for line in told] * spans
            sent = self._tell(
                {line.feature: float(each) for line, each in zip(told, starts + steps, strict=True)}
            )
            self._goals = {line.feature: sent[line.feature] for line in told if line.is_place}
            done = np.array([sent[line.feature] for line in told]) - starts
            return done * [line.factor for line in told] / spans

    def hold(self) -> None:
        """To be where it was seen last, at no speed; as long as it is held, at the very same place."""
        with _named():
            if not self._is_held:
                self._goals = {each.feature: self._place(each) for each in self._told if each.is_place}
            self._is_held = True
            self._tell({each.feature: self._goals.get(each.feature, each.zero) for each in self._told})

    def disconnect(self) -> None:
        """Hold, and close the connection."""
        if not self._robot.is_connected:
            return
        try:
            self.hold()
        finally:
            with _named():
                self._robot.disconnect()

    def _look(self) -> Mapping[str, Any]:
        with _named():
            if not self._robot.is_connected:
                raise RobotError("it is not connected.", where="lerobot", remedy="Connect first.")
            self._seen = self._robot.get_observation()
        return self._seen

    def _start(self, line: Line) -> float:
        """What a number of 0 means, in LeRobot's unit."""
        if not line.is_rate:
            return line.zero
        return start_of(line, self._goals[line.feature], float(self._seen[line.feature]))

    def _place(self, line: Line) -> float:
        """Where it stands; where that is no number, where it was told to be."""
        seen = float(self._seen[line.feature])
        return seen if np.isfinite(seen) else self._goals[line.feature]

    def _tell(self, wanted: dict[str, float]) -> dict[str, float]:
        """Every number that goes to the arm goes through here."""
        if not np.isfinite(list(wanted.values())).all():
            raise RobotError("it was to be told what is no number.", where="lerobot")
        said = self._robot.send_action(wanted)
        sent = {name: float(said[name]) for name in wanted}
        if not np.isfinite(list(sent.values())).all():
            raise RobotError("it says that it sent what is no number.", where="lerobot")
        return sent


def _check(told: tuple[Line, ...], features: Features, seen: set[str], has: set[str]) -> None:
    """Whether each action is mapped once, and the robot observes what is needed."""
    names = [each.feature for each in told]
    if left := sorted(has - set(names)) or sorted(each for each in set(names) if names.count(each) > 1):
        raise ContractError(
            f"{left[0]!r} is not named just once.",
            where="lerobot.action",
            remedy="Name each number it is told.",
        )
    wanted = {each.feature for each in told if each.is_place}
    wanted |= {each for each in (features.over, features.success, features.busy) if each}
    if lacking := sorted(wanted - seen):
        raise ContractError(f"the robot does not observe {lacking[0]!r}.", where="lerobot")


def _named() -> AbstractContextManager[None]:
    return failures_named("LeRobot's robot", where="lerobot", remedy="Look at its cable and its power.")
