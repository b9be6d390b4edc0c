"""Many copies of one robot in its cell, stepped together on `mujoco.batch`.

It knows poses and controls in the home frame, nothing of jobs or rewards: those are `envs.vector`.
Making the cells of a task's workshop is `envs.start`.
"""

from __future__ import annotations

from functools import cached_property

import mujoco
import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from envs.embodiment import Embodiment
from envs.frame import Frame
from envs.names import PREFIX, of_arm, own_names
from envs.values import Floats, Indices
from skills.errors import ContractError

__all__ = ["Cells"]

WORK = "work"
HELD = "held"


class Cells:
    """`count` cells of one workshop; a pose is (x, y, z, rx, ry, rz) from home, m and rad.

    Args:
        model: The scene with the robot in it.
        robot: The robot.
        bank: Positions (poses, nq) to start from.
        count: Cells side by side.
        substeps: Physics steps in a control step.
        floating: The robot is one free body.
        threads: That step them.

    Attributes:
        work_turn: How the scene's work is turned in its job frame, (count, 1, 4), live.
        play: How far an arm's target may go back along an axis before it follows, m: worn gears.
    """

    def __init__(
        self,
        model: mujoco.MjModel,
        robot: Embodiment,
        bank: Floats,
        count: int,
        *,
        substeps: int,
        floating: bool = False,
        threads: int = 1,
    ) -> None:
        self.model, self.substeps, self._robot, self._bank = model, substeps, robot, bank
        self._batch = batch.Batch(model, count, threads, persistent=True)
        self._positions = self._batch.bind("qpos")
        self._control = self._batch.bind("ctrl")
        self._floating = floating
        self._lengths: Floats = self._batch.bind("actuator_length")
        self._pose = np.zeros((count, 6)) if self._floating else self._lengths
        self._mocap = int(model.body(WORK).mocapid[0])
        self._work = (self._batch.bind("mocap_pos"), self._batch.bind("mocap_quat"))
        self._held = self._batch.bind("eq_active") if model.neq else None
        self._effort: Floats | None = None
        self.play = 0.0
        self._followed = np.zeros((count, 6))
        self.work_turn = np.tile([1.0, 0.0, 0.0, 0.0], (count, 1, 1))

    @property
    def positions(self) -> Floats:
        """Of all joints, (count, nq), live."""
        live: Floats = self._positions
        return live

    @property
    def pose(self) -> Floats:
        """Where each tool is now, (count, 6); of an arm the engine's own measure, live."""
        if self._floating:
            np.subtract(self._positions[:, :3], self._robot.tool_position, out=self._pose[:, :3])
            self._pose[:, 3:] = self._lengths[:, 1:4]
        return self._pose

    def reset(self, cells: Indices, random: np.random.Generator) -> None:
        """Put these cells at rest in start poses drawn from the bank."""
        chosen = random.integers(len(self._bank), size=len(cells))
        self._batch.reset(cells, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._positions[cells] = self._bank[chosen]
        self._batch.forward(cells)
        if self.play:
            self._followed[cells] = self.pose[cells]

    def copy_from(self, other: Cells) -> None:
        """Start as other cells of the same workshop have just started."""
        self._batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._positions[:] = other._positions
        self._batch.forward()

    def places(self, body: int) -> bool:
        """Whether a body is the work, put anew where each job lies."""
        return self._mocap >= 0 and int(self.model.body_mocapid[body]) == self._mocap

    def place_work(self, cells: Indices, frame: Frame) -> None:
        """Put the work of these cells at the origin of its job frame, turned, where the scene can move it."""
        if self._mocap < 0:
            return
        position, rotation = self._work
        place = frame.into_home(frame.origin) + self._robot.tool_position
        position[cells, self._mocap] = place[cells]
        half = np.arctan2(frame.sin, frame.cos)[cells] / 2
        cos, sin, (a, b, c, d) = np.cos(half), np.sin(half), self.work_turn[cells, 0].T
        turned = (cos * a - sin * d, cos * b - sin * c, cos * c + sin * b, cos * d + sin * a)
        rotation[cells, self._mocap] = np.stack(turned, axis=-1)
        self._batch.forward(cells)

    def figures_of(self, field: str) -> Floats:
        """A field of the model, (count, ...), with values of their own for each cell from now on, live."""
        own: Floats = self._batch.expand(field)
        return own

    def refigure(self, cells: Indices) -> None:
        """What these cells' figures or positions were changed to holds from now on."""
        self._batch.set_const(cells)
        self._batch.forward(cells)

    def move(self, controls: Floats) -> None:
        """Hold these controls (count, actuators) for one control step; an arm's are its target pose."""
        self._control[:] = self._with_play(controls) if self.play else controls
        if self._effort is None:
            self._batch.step(nstep=self.substeps, stage=mujoco.mjtStage.mjSTAGE_VEL)
            return
        applied, own = self._batch.bind("qfrc_actuator"), self._own
        self._effort[:] = 0.0
        for _ in range(self.substeps):  # the same numbers as in one go
            self._batch.step(nstep=1, stage=mujoco.mjtStage.mjSTAGE_VEL)
            self._effort += applied[:, own]
        self._effort /= self.substeps

    def push(self, force: Floats) -> None:
        """Forces (count, 3), N, in the home frame, on the body that carries the tool, until changed."""
        body = int(self.model.site(f"{PREFIX}tool").bodyid[0])
        self._batch.bind("xfrc_applied")[:, body, :3] = force

    def spin_up(self, cells: Indices, thrust: float) -> None:
        """Let the motors of these cells turn as if that thrust, m/s², had been asked for all along."""
        self._batch.bind("act")[cells, 0] = thrust

    def release(self, cells: NDArray[np.bool_]) -> None:
        """Let go of what the tools of these cells hold: the scene's equality `held`."""
        if self._held is not None:
            self._held[cells, self.model.equality(HELD).id] = 0.0

    def site(self, name: str) -> tuple[Floats, Floats]:
        """Position (count, 3) and rotation matrix (count, 9) of a site, live.

        Raises:
            ContractError: There is no such site.
        """
        number = self._find("site", name)
        return self._batch.bind("site_xpos")[:, number], self._batch.bind("site_xmat")[:, number]

    def sensor(self, name: str, size: int) -> Floats:
        """A sensor's numbers (count, size), live.

        Raises:
            ContractError: There is no such sensor, or it has another size.
        """
        number = self._find("sensor", name)
        begin, found = int(self.model.sensor_adr[number]), int(self.model.sensor_dim[number])
        if found != size:
            raise ContractError(
                f"the sensor {name!r} has {found} numbers, not {size}.",
                where="quantities",
                remedy=f"Write size = {found}.",
            )
        numbers: Floats = self._batch.bind("sensordata")[:, begin : begin + size]
        return numbers

    def joint_velocities(self) -> Floats:
        """Velocities (count, joints) of the robot, live."""
        velocities: Floats = self._batch.bind("qvel")[:, self._own]
        return velocities

    def joint_positions(self) -> Floats:
        """Positions (count, joints) of an arm, live."""
        first = int(self.model.jnt_qposadr[self.model.dof_jntid[self._own.start]])
        return self.positions[:, first : first + self._own.stop - self._own.start]

    def joint_efforts(self) -> Floats:
        """Efforts (count, joints) of the robot, N m, live: means over each control step from now on."""
        if self._effort is None:
            self._effort = np.zeros(self.joint_velocities().shape)
        return self._effort

    def wear_joints(self, friction: Floats, warmth: Floats) -> None:
        """Add friction (count, joints), N m, to the robot's own, and multiply all of it by warmth."""
        for field, more in (("dof_frictionloss", friction), ("dof_damping", 0.0)):
            given = getattr(self.model, field)[self._own]
            self.figures_of(field)[:, self._own] = (given + more) * warmth

    def body_poses(self) -> tuple[Floats, Floats]:
        """Positions (count, bodies, 3) and quaternions (count, bodies, 4) of all bodies, live."""
        return self._batch.bind("xpos"), self._batch.bind("xquat")

    def snapshot(self, cell: int) -> mujoco.MjData:
        """One cell's data, to go on with alone."""
        data: mujoco.MjData = self._batch.get_data(cell)
        return data

    def show(self, cell: int, data: mujoco.MjData) -> None:
        """Put one cell's poses into data of the drawn model: for pictures, not for policies."""
        data.qpos[:] = self._positions[cell]
        for field in ("body_pos", "body_quat"):
            own = self._batch.expanded(field)
            if own is not None:
                getattr(data.model, field)[:] = own[cell]
        if self._mocap >= 0:
            data.mocap_pos[:], data.mocap_quat[:] = self._work[0][cell], self._work[1][cell]

    def _with_play(self, controls: Floats) -> Floats:
        """What comes out of gears with play: along each axis the last place, unless they are pushed on."""
        follows = np.clip(
            self._followed[:, :3], controls[:, :3] - self.play / 2, controls[:, :3] + self.play / 2
        )
        self._followed[:, :3], self._followed[:, 3:] = follows, controls[:, 3:]
        return self._followed

    @cached_property
    def _own(self) -> slice:
        """Degrees of freedom of the robot's own."""
        bodies = [self.model.body(int(body)).name for body in self.model.dof_bodyid]
        own = np.flatnonzero([of_arm(name) for name in bodies])
        return slice(int(own[0]), int(own[-1]) + 1)

    def _find(self, kind: str, name: str) -> int:
        known = [getattr(self.model, kind)(i).name for i in range(getattr(self.model, f"n{kind}"))]
        for each in (name, *own_names(name)):
            if each in known:
                return known.index(each)
        raise ContractError(
            f"the scene has no {kind} {name!r}.",
            where="quantities",
            remedy=f"It has {', '.join(found for found in known if found) or 'none'}.",
        )
