"""Arms: actions move a set-point in the job frame, Cartesian impedance in the engine follows it.

Six actuators between the tool and the home frame turn the set-point into joint torques in C. A part
that the tool holds is let go by the action `grip`, which opens a valve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from envs.context import CompileContext
from envs.drives.base import Acted, Bounds, Drive, FigureOf
from envs.late import DELAY, MOST_DELAY, Late
from envs.names import PREFIX, of_arm, unknown
from envs.values import Floats, Indices, Key, Output, Outputs, Positive
from envs.variation import Variation

if TYPE_CHECKING:
    import mujoco

__all__ = ["Impedance"]

AXES = {
    "tool.velocity": (0, 1, 2),
    "tool.slide": (0, 1),
    "tool.advance": (2,),
    "tool.tilt": (3, 4),
    "tool.turn": (5,),
}
"""Which of a pose's six numbers a channel moves."""
GRIP = "grip"
ENOUGH = 0.5
"""Share of the full vacuum (or grip) that still holds; below, what was held is let go for good."""


class Impedance(Drive):
    """An arm's Cartesian impedance: actions move a set-point, springs and dampers pull the tool to it.

    Attributes:
        stiffness: N/m.
        damping: N s/m.
        turn_stiffness: N m/rad.
        turn_damping: N m s/rad.
        lead: The set-point stays this close to the tool, per axis, m.
        lead_tilt: The same for rotations, rad.
        feed: A figure of the jobs, m/s: the set-point moves so fast along the job's x by itself.
    """

    kind: Literal["impedance"] = "impedance"
    stiffness: Positive = 3000.0
    damping: Positive = 120.0
    turn_stiffness: Positive = 150.0
    turn_damping: Positive = 8.0
    lead: Positive = 0.025
    lead_tilt: Positive = 0.15
    feed: Key | None = None

    channels: ClassVar[Outputs] = MappingProxyType(
        {
            "tool.velocity": Output(3, "m/s"),
            "tool.slide": Output(2, "m/s"),
            "tool.advance": Output(1, "m/s"),
            "tool.tilt": Output(2, "rad/s"),
            "tool.turn": Output(1, "rad/s"),
            "grip": Output(1, "1/s"),
        }
    )
    quantities: ClassVar[Outputs] = MappingProxyType(
        {
            "tool.position": Output(3, "m"),
            "tool.tilt": Output(2, "rad"),
            "tool.turn": Output(1, "rad"),
            "tool.lead": Output(3, "m"),
            "tool.lead_tilt": Output(2, "rad"),
            "tool.lead_turn": Output(1, "rad"),
            "tool.velocity": Output(3, "m/s"),
            "tool.holds": Output(1, "1"),
        }
    )
    bounds: ClassVar[Bounds] = MappingProxyType(
        {
            "impedance": (0.01, 100.0),
            "damping": (0.0, 100.0),
            "friction": (0.0, 1000.0),
            "payload": (0.0, 1000.0),
            DELAY: (0.0, MOST_DELAY),
        }
    )

    def add_actuators(self, scene: mujoco.MjSpec) -> None:
        """Three forces and three torques between the sites `tool` and `home`."""
        import mujoco  # noqa: PLC0415 - a bundle is read without it

        for axis in range(6):
            turns = axis >= 3
            stiffness = self.turn_stiffness if turns else self.stiffness
            damping = self.turn_damping if turns else self.damping
            actuator = scene.add_actuator(
                name=f"{'turn' if turns else 'push'}_{'xyz'[axis % 3]}",
                trntype=mujoco.mjtTrn.mjTRN_SITE,
                target=f"{PREFIX}tool",
                refsite="home",
                gear=[float(place == axis) for place in range(6)],
            )
            actuator.set_to_position(kp=stiffness, kv=damping)

    def apply_figures(self, model: mujoco.MjModel, figure: FigureOf) -> None:
        """Stiffness, joint damping and friction, payload."""
        impedance, joints = figure("impedance", 1.0), _joints(model)
        model.dof_damping[joints] *= figure("damping", 1.0)
        model.dof_frictionloss[joints] = figure("friction", 0.0)
        model.actuator_gainprm[:, 0] *= impedance
        model.actuator_biasprm[:, 1] *= impedance
        # A damping ratio stays what it was when the damping follows the root of the stiffness.
        model.actuator_biasprm[:, 2] *= np.sqrt(impedance)
        model.body_mass[model.site(f"{PREFIX}tool").bodyid[0]] += figure("payload", 0.0)

    def complaints(
        self,
        robots: Mapping[str, Variation],  # noqa: ARG002
        jobs: Mapping[str, Variation],
    ) -> Iterator[tuple[str, str]]:
        """The feed is a figure of the jobs."""
        if self.feed and self.feed not in jobs:
            yield "feed", unknown("figure of the jobs", self.feed, jobs)

    def compile(self, context: CompileContext, action: Sequence[Acted]) -> LiveImpedance:
        """See `LiveImpedance`."""
        return LiveImpedance(self, context, action)


class LiveImpedance:
    """Set-points and poses of all simulations, (count, 6): m and rad, in job frames."""

    def __init__(self, drive: Impedance, context: CompileContext, action: Sequence[Acted]) -> None:
        count, quantities = context.count, context.quantities
        self._context, self._cells = context, context.cells
        self._feed = context.figures.of(drive.feed)[:, 0] if drive.feed else None
        self._limit = np.repeat([drive.lead, drive.lead_tilt], 3)
        self._map = _command_map(action, context.dt)
        self._grip = _grip_column(action)
        self._grip_rate = next((channel.scale for channel in action if channel.of == GRIP), 0.0)
        self._target = np.zeros((count, 6))
        self._late = Late(DELAY if DELAY in context.figures else 0, context.figures, 6)
        self._pose, self._before = np.zeros((count, 6)), np.zeros((count, 6))
        self._origin = np.zeros((count, 6))
        # Position, tilt and turn are the six columns of a pose, and so are the leads.
        self._out_pose = quantities.view("tool.position", "tool.turn")
        self._out_lead = quantities.view("tool.lead", "tool.lead_turn")
        self._out_velocity, self._holds = quantities.view("tool.velocity"), quantities.view("tool.holds")

    def start(self, copies: Indices, random: np.random.Generator) -> None:  # noqa: ARG002
        """Hold the start pose."""
        self._pose[copies] = self._context.frame.into_job(self._cells.pose)[copies]
        self._before[copies] = self._pose[copies]
        self._origin[copies, :3] = self._context.frame.origin[copies]
        self._target[copies] = self._pose[copies]
        self._target[copies, 5] = 0.0  # about the tool itself it keeps the home orientation
        self._late.forget(copies, self._target[copies])
        self._holds[copies] = float(self._grip is not None)

    def controls(self, action: Floats, weather: np.random.Generator) -> Floats:  # noqa: ARG002
        """Integrate the actions into set-points; the robot executes those of `delay` steps ago."""
        target = self._target + action @ self._map
        if self._feed is not None:
            target[:, 0] += self._feed * self._context.dt
        np.clip(target, self._pose - self._limit, self._pose + self._limit, out=target)
        self._target = target
        if self._grip is not None:
            self._release(action[:, self._grip] * self._grip_rate)
        return self._context.frame.into_home(self._late.after(target))

    def update(self) -> None:
        """Write pose, velocity and lead."""
        self._before, self._pose = self._pose, self._context.frame.into_job(self._cells.pose)
        np.subtract(self._pose, self._origin, out=self._out_pose)
        np.subtract(self._target, self._pose, out=self._out_lead)
        np.subtract(self._pose[:, :3], self._before[:, :3], out=self._out_velocity)
        self._out_velocity *= 1.0 / self._context.dt

    def _release(self, valve: Floats) -> None:
        """Open the valve: a whim does not let go, a third of a second of wishing does."""
        level = np.clip(self._holds[:, 0] - valve * self._context.dt, 0.0, 1.0)
        lost = level < ENOUGH
        self._holds[:, 0] = level
        self._holds[lost] = 0.0
        self._cells.release(lost)


def _command_map(actions: Sequence[Acted], dt: float) -> Floats:
    """Matrix (actions, 6): what each action adds to the set-point in a step."""
    columns = [axis for channel in actions for axis in AXES.get(channel.of, (-1,))]
    scales = [c.scale for c in actions for _ in AXES.get(c.of, (-1,))]
    found = np.zeros((len(columns), 6))
    for row, (axis, scale) in enumerate(zip(columns, scales, strict=True)):
        if axis >= 0:
            found[row, axis] = scale * dt
    return found


def _grip_column(actions: Sequence[Acted]) -> int | None:
    column = 0
    for channel in actions:
        if channel.of == GRIP:
            return column
        column += Impedance.channels[channel.of].size
    return None


def _joints(model: mujoco.MjModel) -> Indices:
    """Degrees of freedom of the arm, not those of its tool or of parts that lie around."""
    found: Indices = np.flatnonzero([of_arm(model.body(int(body)).name) for body in model.dof_bodyid])
    return found
