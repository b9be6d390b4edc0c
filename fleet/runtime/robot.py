"""What a robot is to the loop that drives it: five methods, as drivers of arms have them.

Numbers are those of the skill's contract: physical values over the channels' scales. How fast and how far it
may move is `fleet.runtime.guards`' to say; a driver that knows better sends less and says what it sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fleet.place import RobotError

__all__ = ["Joints", "Numbers", "Observed", "Robot", "failures_named"]

Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Joints:
    """What an arm senses of its joints, each (joints,): rad, rad/s, N m.

    Attributes:
        efforts: Of the motors; the mean since the observation before, where the arm can give that.
    """

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    efforts: NDArray[np.float64]


@dataclass(frozen=True)
class Observed:
    """What the robot senses.

    Attributes:
        numbers: (inputs,), as the contract lists them.
        taken_at: When, in seconds of the loop's clock.
        over: Whether the job is over; the next observation begins another one.
        success: Whether it was done, where the robot can tell.
        busy: Whether the robot is at something, such as a part in its gripper, during which it must not get
            another version of its skill.
        joints: Where the driver gives them, the robot learns when it wears (docs/health.md).
    """

    numbers: NDArray[Any]
    taken_at: float
    over: bool = False
    success: bool | None = None
    busy: bool = False
    joints: Joints | None = None


class Robot(Protocol):
    """One robot. Whatever goes wrong with it, each method raises `fleet.place.RobotError`."""

    def connect(self) -> None:
        """Open the connection; the robot does not move."""

    def observe(self) -> Observed:
        """What it senses now; of a job that is over, the first look at the next one."""

    def send(self, action: Numbers) -> NDArray[Any]:
        """Ask for a motion until the next period, (outputs,) within [-1, 1]; returns what was really sent."""

    def hold(self) -> None:
        """Stand still where it is: the safe action, allowed at any time."""

    def disconnect(self) -> None:
        """Close the connection; it stands still from then on."""


@contextmanager
def failures_named(what: str, *, where: str, remedy: str) -> Iterator[None]:
    """Whatever a driver's library raises is a robot that failed.

    Raises:
        RobotError: It raised something.
    """
    try:
        yield
    except RobotError:
        raise
    except Exception as error:
        raise RobotError(
            f"{what} failed ({type(error).__name__}: {error}).", where=where, remedy=remedy
        ) from error
