"""What a drive is: the section of a `task.toml` that says how actions become motion, and how one is added.

As a term is (`envs.terms.base`), a drive is a pydantic model of its own section. It says what an action
may drive and what is always known of the robot, puts the actuators into the scene, and `compile` gives
the thing that turns actions into controls for all simulations at once. A new kind is a subclass, with a
`kind` of its own, that an installed package names under the entry point `zunft.drives`; which kinds
there are: `envs.drives.registry`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from envs.context import CompileContext
from envs.values import Floats, Indices, Key, Outputs, Positive, Reference, Section
from envs.variation import Variation

if TYPE_CHECKING:
    import mujoco  # a bundle is read without it

__all__ = ["Acted", "Bounds", "Drive", "FigureOf", "LiveDrive"]

Bounds = Mapping[str, tuple[float, float]]
"""Name of a figure to its least and greatest value."""

FigureOf = Callable[[str, float], float]
"""A figure of this robot by name, and what it is where the task has none of that name."""


class Acted(Section):
    """One action channel: what of the robot it drives, and the physical value of 1."""

    name: Key
    of: Reference
    scale: Positive


class LiveDrive(Protocol):
    """A drive of all simulations."""

    def controls(self, action: Floats, weather: np.random.Generator) -> Floats:
        """Controls (count, actuators) of a step for actions (count, size) in [-1, 1].

        `weather` draws disturbances, which act in that step.
        """

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """These copies stand at their start poses, in job frames that have just been drawn."""

    def update(self) -> None:
        """Measure the robots after a step, and write their own quantities."""


class Drive(Section):
    """Base of all kinds; all its functions are pure but for what they are given to change.

    Attributes:
        kind: What an embodiment's file names as its `drive`.
    """

    kind: str
    channels: ClassVar[Outputs] = MappingProxyType({})
    """What an action channel may drive."""
    quantities: ClassVar[Outputs] = MappingProxyType({})
    """What it writes of the robot, always known."""
    bounds: ClassVar[Bounds] = MappingProxyType({})
    """Figures of the robots that it reads by these names, where a task has them: one number within bounds."""
    floating: ClassVar[bool] = False
    """The robot is one free body. Otherwise the first six actuators measure the tool's pose from home, and
    the first three hold its position there."""

    def add_actuators(self, scene: mujoco.MjSpec) -> None:
        """Put the robot's actuators into a scene that it is attached to."""
        raise NotImplementedError

    def apply_figures(self, model: mujoco.MjModel, figure: FigureOf) -> None:
        """Make the model this robot's: what differs from the data sheet."""
        raise NotImplementedError

    def complaints(
        self,
        robots: Mapping[str, Variation],  # noqa: ARG002
        jobs: Mapping[str, Variation],  # noqa: ARG002
    ) -> Iterator[tuple[str, str]]:
        """Entries of the section that refer to no figure or do not fit it, each with what is wrong."""
        yield from ()

    def compile(self, context: CompileContext, action: Sequence[Acted]) -> LiveDrive:
        """Make it ready for `context.count` simulations."""
        raise NotImplementedError
