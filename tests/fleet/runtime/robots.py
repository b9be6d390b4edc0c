"""A robot in plain numbers with faults to order, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleet.place import RobotError
from fleet.runtime.robot import Numbers, Observed
from skills.manifest import Channel, Contract

CONTRACT = Contract(
    observation=(Channel(name="place", size=1, unit="m", scale=1.0),),
    action=(Channel(name="speed", size=1, unit="m/s", scale=1.0),),
    control_hz=50.0,
)
PERIOD = 0.02


class Hands:
    """Time moves when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def sleep_until(self, moment: float) -> None:
        self.time = max(self.time, moment)


class Cart:
    """Moves along a line; `faults` maps a period to what happens then, before it is observed."""

    def __init__(self, clock: Hands, length: int = 1000) -> None:
        self.clock, self.length = clock, length
        self.place = 0.0
        self.periods = 0
        self.faults: dict[int, Callable[[], None]] = {}
        self.said: list[str] = []
        self.sent: list[float] = []
        self.times: list[float] = []
        self.observed: Observed | None = None
        self.spoils: float | None = None
        self.frozen = self.lost = False

    def connect(self) -> None:
        self.said.append("connect")

    def observe(self) -> Observed:
        self.periods += 1
        self.faults.pop(self.periods, lambda: None)()
        if self.lost:
            raise RobotError("no answer.", where="robot")
        number = self.place if self.spoils is None else self.spoils
        if not (self.frozen and self.observed is not None):
            over = self.periods > self.length
            numbers = np.array([number], np.float32)
            self.observed = Observed(numbers, self.clock.now(), over, (over and self.place > 0) or None)
        return self.observed

    def send(self, action: Numbers) -> NDArray[Any]:
        self.said.append("send")
        self.sent.append(float(action[0]))
        self.times.append(self.clock.now())
        self.place += 0.02 * float(action[0])
        return action

    def hold(self) -> None:
        self.said.append("hold")

    def disconnect(self) -> None:
        self.said.append("disconnect")


class Always:
    """Wants the same, unless a test says otherwise."""

    def __init__(self, wanted: float = 0.5) -> None:
        self.wanted: Callable[[NDArray[Any]], float] = lambda _: wanted
        self.begun = 0

    def begin(self) -> Always:
        self.begun += 1
        return self

    def act(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        return np.array([self.wanted(observation)], np.float32)
