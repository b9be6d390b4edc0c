"""Quadrotors: actions ask for lean, climb and turn; attitude control runs in the engine, wind blows.

The thrust acts along the body's own vertical only, late by its motors' lag: to go sideways it must lean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from envs.context import CompileContext
from envs.drives.base import Acted, Bounds, Drive, FigureOf
from envs.late import DELAY, MOST_DELAY, Late
from envs.names import PREFIX, unknown
from envs.values import Finite, Floats, Indices, Key, Output, Outputs, Positive, Section
from envs.variation import Variation

if TYPE_CHECKING:
    import mujoco

__all__ = ["Flight", "Wind"]

GRAVITY = 9.81
COLUMNS = {"flight.lean": (0, 1), "flight.climb": (2,), "flight.turn": (3,)}
"""Which of a command's four numbers a channel sets."""


class Wind(Section):
    """A horizontal wind with gusts (Ornstein-Uhlenbeck) that pushes a flying body.

    Attributes:
        force: A figure of the jobs with two components, N: the mean, in the job frame.
        gust: Standard deviation of the gusts, N, per axis; number or figure of the robots.
        memory: Time constant of the gusts, s.
    """

    force: Key
    gust: Finite | Key = 0.0
    memory: Positive = 0.5


class Flight(Drive):
    """A quadrotor's autopilot: actions ask for lean, climb and turn; the attitude loop runs on board.

    Attributes:
        attitude: Angular acceleration per rad of attitude error, 1/s².
        attitude_damping: And per rad/s of turning, 1/s.
        motor_lag: Time constant of the thrust, s.
        wind: What blows.
    """

    kind: Literal["flight"] = "flight"
    attitude: Positive = 120.0
    attitude_damping: Positive = 18.0
    motor_lag: Positive = 0.04
    wind: Wind | None = None

    channels: ClassVar[Outputs] = MappingProxyType(
        {"flight.lean": Output(2, "rad"), "flight.climb": Output(1, "m/s^2"), "flight.turn": Output(1, "rad")}
    )
    quantities: ClassVar[Outputs] = MappingProxyType(
        {
            "tool.position": Output(3, "m"),
            "tool.tilt": Output(2, "rad"),
            "tool.turn": Output(1, "rad"),
            "tool.velocity": Output(3, "m/s"),
            "wind.force": Output(2, "N"),
        }
    )
    bounds: ClassVar[Bounds] = MappingProxyType(
        {"thrust": (0.01, 100.0), "mass": (0.01, 100.0), "drag": (0.0, 1000.0), DELAY: (0.0, MOST_DELAY)}
    )

    floating: ClassVar[bool] = True

    def add_actuators(self, scene: mujoco.MjSpec) -> None:
        """Thrust along the tool's z axis, and three torques towards an attitude in the home frame."""
        import mujoco  # noqa: PLC0415 - a bundle is read without it

        thrust = scene.add_actuator(
            name="thrust", trntype=mujoco.mjtTrn.mjTRN_SITE, target=f"{PREFIX}tool", gear=[0, 0, 1, 0, 0, 0]
        )
        thrust.dyntype = mujoco.mjtDyn.mjDYN_FILTER
        thrust.dynprm[0] = self.motor_lag
        for axis in range(3):
            actuator = scene.add_actuator(
                name=f"turn_{'xyz'[axis]}",
                trntype=mujoco.mjtTrn.mjTRN_SITE,
                target=f"{PREFIX}tool",
                refsite="home",
                gear=[float(place == axis + 3) for place in range(6)],
            )
            actuator.set_to_position(kp=self.attitude, kv=self.attitude_damping)

    def apply_figures(self, model: mujoco.MjModel, figure: FigureOf) -> None:
        """Attitude gains by inertia; mass, thrust and drag as this one differs."""
        body = int(model.site(f"{PREFIX}tool").bodyid[0])
        weight = float(model.body_mass[body]) * GRAVITY
        for axis in range(3):
            model.actuator_gainprm[1 + axis] *= model.body_inertia[body, axis]
            model.actuator_biasprm[1 + axis] *= model.body_inertia[body, axis]
        model.actuator_gainprm[0, 0] = weight / GRAVITY * figure("thrust", 1.0)
        model.body_mass[body] *= figure("mass", 1.0)
        model.dof_damping[:3] += figure("drag", 0.0)

    def complaints(
        self, robots: Mapping[str, Variation], jobs: Mapping[str, Variation]
    ) -> Iterator[tuple[str, str]]:
        """The wind's figures."""
        if self.wind is None:
            return
        if self.wind.force not in jobs or jobs[self.wind.force].size != 2:
            yield "wind", f"{self.wind.force!r} is no figure of the jobs with two components"
        if isinstance(self.wind.gust, str) and self.wind.gust not in robots:
            yield "wind", unknown("figure of the robots", self.wind.gust, robots)

    def compile(self, context: CompileContext, action: Sequence[Acted]) -> LiveFlight:
        """See `LiveFlight`."""
        return LiveFlight(self, context, action)


class LiveFlight:
    """Commands, wind and poses of all simulations."""

    def __init__(self, drive: Flight, context: CompileContext, action: Sequence[Acted]) -> None:
        self._context, self._cells, count = context, context.cells, context.count
        pairs = [(axis, channel.scale) for channel in action for axis in COLUMNS[channel.of]]
        self._map = np.zeros((len(pairs), 4))
        for row, (axis, scale) in enumerate(pairs):
            self._map[row, axis] = scale
        self._late = Late(DELAY if DELAY in context.figures else 0, context.figures, 4)
        self._wind = drive.wind
        self._mean = context.figures.of(self._wind.force) if self._wind else np.zeros((count, 2))
        self._deviation = float(context.figures.fixed(self._wind.gust)[0]) if self._wind else 0.0
        self._gust = np.zeros((count, 2))
        self._pose, self._before = np.zeros((count, 6)), np.zeros((count, 3))
        self._out = {name: context.quantities.view(name) for name in Flight.quantities}

    def start(self, copies: Indices, random: np.random.Generator) -> None:
        """Hover, in a gust that has been blowing for a while."""
        self._pose[copies] = self._measure()[copies]
        self._before[copies] = self._pose[copies, :3]
        self._late.forget(copies, np.zeros((len(copies), 4)))
        self._gust[copies] = random.standard_normal((len(copies), 2)) * self._deviation
        self._cells.spin_up(copies, GRAVITY)

    def controls(self, action: Floats, weather: np.random.Generator) -> Floats:
        """Lean towards where the actions say, `delay` steps ago, while the wind changes."""
        late = self._late.after(action @ self._map)
        # To lean towards x is to turn about y.
        attitude = np.stack([-late[:, 1], late[:, 0], late[:, 3]], axis=1)
        if self._wind:
            self._blow(self._wind.memory, weather)
        return np.hstack([GRAVITY + late[:, 2:3], self._context.frame.into_home(attitude)])

    def update(self) -> None:
        """Write pose, velocity and wind."""
        self._before[:] = self._pose[:, :3]
        self._pose = self._measure()
        out, pose = self._out, self._pose
        np.subtract(pose[:, :3], self._context.frame.origin, out=out["tool.position"])
        out["tool.tilt"][:], out["tool.turn"][:] = pose[:, 3:5], pose[:, 5:]
        np.subtract(pose[:, :3], self._before, out=out["tool.velocity"])
        out["tool.velocity"] /= self._context.dt
        np.add(self._mean, self._gust, out=out["wind.force"])

    def _blow(self, memory: float, weather: np.random.Generator) -> None:
        """One step of an Ornstein-Uhlenbeck process per axis, exact for any step."""
        kept = np.exp(-self._context.dt / memory)
        self._gust *= kept
        self._gust += np.sqrt(1 - kept**2) * self._deviation * weather.standard_normal(self._gust.shape)
        force = np.zeros((len(self._gust), 3))
        force[:, :2] = self._mean + self._gust
        self._cells.push(self._context.frame.into_home(force))

    def _measure(self) -> Floats:
        return self._context.frame.into_job(self._cells.pose)
