"""What every drive offers to scene and environment, and which one a robot has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import mujoco
import numpy as np

from envs.format import ImpedanceControl, TaskFile
from envs.terms.base import Floats, Indices, Outputs

if TYPE_CHECKING:
    from envs.context import CompileContext
    from envs.workshop import Workshop

__all__ = ["MOST_DELAY", "PREFIX", "Bounds", "Drive", "LiveDrive", "drive_of", "own_names"]

PREFIX = "arm/"
"""Before every name of the robot and its tool in the compiled scene."""

Bounds = Mapping[str, tuple[float, float]]
"""Name of a figure to its least and greatest value."""

MOST_DELAY = 20.0
"""Control steps that a command may be late."""


def own_names(name: str) -> tuple[str, str]:
    """What something of the tool's or the robot's file may be called in the compiled scene."""
    return f"{PREFIX}tool/{name}", f"{PREFIX}{name}"


class LiveDrive(Protocol):
    """A drive of all simulations."""

    def command(self, action: Floats, weather: np.random.Generator) -> None:
        """Turn actions (count, size) in [-1, 1] into a control step; `weather` draws disturbances."""

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """These copies stand at their start poses, in job frames that have just been drawn."""

    def update(self) -> None:
        """Write the robot's own quantities."""


class Drive(Protocol):
    """A kind of drive; all its functions are pure but for what they are given to change."""

    kind: str
    channels: Outputs
    """What an action channel may drive."""
    quantities: Outputs
    """What it writes into the quantities."""
    figures: Bounds
    """Figures of the robots that it reads by these names, where a task has them: one number within bounds."""

    def add_actuators(self, scene: mujoco.MjSpec, file: TaskFile) -> None:
        """Put the robot's actuators into a scene that it is attached to."""

    def apply_figures(self, model: mujoco.MjModel, file: TaskFile, workshop: Workshop) -> None:
        """Make the model this robot's: what differs from the data sheet."""

    def compile(self, context: CompileContext, file: TaskFile, workshop: Workshop) -> LiveDrive:
        """Make it ready for `context.count` simulations."""


def drive_of(file: TaskFile) -> Drive:
    """The drive that the task's `control` section names."""
    from envs.drives.flight import Flight  # noqa: PLC0415 - they implement this module
    from envs.drives.impedance import Impedance  # noqa: PLC0415

    drive: Drive = Impedance() if isinstance(file.control, ImpedanceControl) else Flight()
    return drive
