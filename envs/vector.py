"""Weld-seam in many copies at once, as a Gymnasium vector environment with next-step autoreset.

It draws seams, moves the set-points that actions ask for and senses. Physics is `envs.physics`, the
meaning of each number `envs.terms`, the shape of seams `envs.seams`.

The job frame is the home frame of the tool turned about the vertical by the work-piece's heading,
fixed for the episode; robot and controller share it, no joint appears in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs import terms
from envs.physics import Cells
from envs.seams import COLUMNS, draw_seams
from envs.task import Task
from envs.workshop import Workshop

__all__ = ["WeldSeamVectorEnv", "make_vector_env"]

Floats = NDArray[np.float64]
Observation = NDArray[np.float32]
Mask = NDArray[np.bool_]
Seed = int | list[int | None] | None

TILT_NOISE = 0.003
"""Standard deviation of the sensed torch tilt, rad."""
SENSOR_BASE = 0.02
"""The sensor fits directions over this length of seam, m: their noise is the position's over it."""


def make_vector_env(
    task: Task, workshop: Workshop, num_envs: int, seed: int | None = None, threads: int = 1
) -> WeldSeamVectorEnv:
    """`num_envs` copies of one workshop; same seed and calls, same numbers, whatever the threads."""
    return WeldSeamVectorEnv(task, workshop, num_envs, seed, threads)


class WeldSeamVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """One workshop's robot on `num_envs` jobs at once.

    The step that ends an episode carries `infos["success"]` (num_envs,) with the mask `_success`;
    the next step resets those copies, ignores their action and gives them reward 0.
    """

    def __init__(self, task: Task, workshop: Workshop, num_envs: int, seed: int | None, threads: int) -> None:
        self.task, self.workshop, self.num_envs = task, workshop, num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_fps": task.contract.control_hz}
        sizes = (task.contract.observation_size, task.contract.action_size)
        self.single_observation_space = Box(-terms.LIMIT, terms.LIMIT, (sizes[0],), np.float32)
        self.single_action_space = Box(-1.0, 1.0, (sizes[1],), np.float32)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.cells = Cells(task, workshop, num_envs, threads)
        observed, self._action_scale = terms.channel_scales(task)
        self._observation_gain = 1.0 / observed
        self._command_gain = self._action_scale * task.dt
        command = task.command
        self._lead_limit = np.array([command.lead] * 3 + [command.lead_tilt] * 2)
        self._ahead = np.array([0, *command.look_ahead])
        self._seed(seed)
        self._allocate()

    def _seed(self, seed: Seed) -> None:
        # Jobs and sensor noise have their own generators: a policy that fails early, and so resets
        # early, meets the same noise as one that does not.
        self._jobs, self._noise = np.random.default_rng(seed).spawn(2)  # type: ignore[arg-type]

    def _allocate(self) -> None:
        count, shapes = self.num_envs, self.task.seam
        self._rows = round(shapes.length / shapes.spacing) + 1
        self._tables = np.zeros((count, self._rows, COLUMNS))
        self._table_rows = self._tables.reshape(-1, COLUMNS)
        self._first_row = np.arange(count) * self._rows
        self.start = np.zeros((count, 3))
        self.cos, self.sin = np.ones(count), np.zeros(count)
        self._tilt = np.zeros((count, 2))
        self._feed, self._speed = np.ones(count), np.zeros(count)
        self._nearest, self._row_along = np.zeros((count, COLUMNS)), np.zeros(count)
        self._targets = np.zeros((self.workshop.delay + 1, count, 5))
        self._tip, self._velocity = np.zeros((count, 5)), np.zeros((count, 3))
        self._actions = np.zeros((2, count, self.task.contract.action_size))
        self._steps, self._good = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._over = np.zeros(count, np.bool_)

    def reset(
        self,
        *,
        seed: Seed = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> tuple[Observation, dict[str, Any]]:
        """Start a new job in every copy; a seed makes this and all that follows repeatable."""
        if seed is not None:
            self._seed(seed)
        self._start(np.arange(self.num_envs))
        self._over[:] = False
        return self._observe(*self._sense()), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Move all copies by one control step; see the class for the ends of episodes."""
        action = np.clip(np.asarray(actions, dtype=np.float64), -1.0, 1.0)
        change = action - self._actions[0]
        self._actions[1], self._actions[0] = self._actions[0], action
        self._command(action)
        fresh = np.flatnonzero(self._over)
        if len(fresh):
            self._start(fresh)
        row, error, tilt_error = self._sense()
        along = np.einsum("ij,ij->i", self._velocity, row[:, 0, 3:6])
        self._speed += self.task.success.smoothing * (along / self._feed - 1.0 - self._speed)
        if len(fresh):
            self._speed[fresh] = -1.0
        measures = terms.measure(error, row[:, 0, 3:6], tilt_error, self._speed)
        gained = terms.reward(measures, change, self.task.reward)
        self._steps += 1
        self._steps[fresh] = 0
        gained[fresh] = 0.0
        self._good += terms.within_tolerance(measures, self.task.success) & (
            self._steps > self.task.success.grace
        )
        failed = measures.distance > self.task.success.abort
        failed[fresh] = False
        ended = (self._steps >= self.task.horizon) & ~failed
        np.logical_or(failed, ended, out=self._over)
        return self._observe(row, error, tilt_error), gained, failed, ended, self._infos(failed)

    def _infos(self, failed: Mask) -> dict[str, Any]:
        if not self._over.any():
            return {}
        counted = self.task.horizon - self.task.success.grace
        success = self._over & ~failed & (self._good >= self.task.success.share * counted)
        return {"success": success, "_success": self._over.copy()}

    def _start(self, copies: NDArray[np.int64]) -> None:
        """New jobs for these copies: the torch at rest near the beginning of a new seam."""
        count, start, random, shop = len(copies), self.task.start, self._jobs, self.workshop
        self.cells.reset(copies, random)
        heading = random.uniform(*shop.heading, count)
        self.cos[copies], self.sin[copies] = np.cos(heading), np.sin(heading)
        self._tables[copies] = draw_seams(shop.seams, count, self.task.seam, random)
        self._tilt[copies] = random.uniform(-start.tilt, start.tilt, (count, 2))
        self._feed[copies] = random.uniform(*shop.speed, count)
        self._tip[copies] = self._measure_tip()[copies]
        row = round(self.task.seam.lead_in / self.task.seam.spacing)
        reach = (start.across, start.across, start.height)
        miss = random.uniform(-1.0, 1.0, (count, 3)) * reach
        self.start[copies] = self._tip[copies, :3] + miss - self._tables[copies, row, :3]
        self._nearest[copies] = self._tables[copies, row]
        self._row_along[copies] = row * self.task.seam.spacing
        self._targets[:, copies] = self._tip[copies]
        self._actions[:, copies] = 0.0
        self._velocity[copies] = 0.0
        self._speed[copies] = -1.0
        self._steps[copies] = 0
        self._good[copies] = 0

    def seam_in_home_frame(self, copy: int) -> Floats:
        """Points (rows, 3) of one copy's seam, m from the tool's home: for pictures, not for policies."""
        x, y, z = (self._tables[copy, :, :3] + self.start[copy]).T
        cos, sin = self.cos[copy], self.sin[copy]
        return np.stack([cos * x - sin * y, sin * x + cos * y, z], axis=1)

    def _command(self, action: Floats) -> None:
        """Integrate the actions into set-points; the robot executes those of `delay` steps ago."""
        target = self._targets[0] + action * self._command_gain
        target[:, 0] += self._feed * self.task.dt
        np.clip(target, self._tip - self._lead_limit, self._tip + self._lead_limit, out=target)
        self._targets[1:] = self._targets[:-1].copy()
        self._targets[0] = target
        late = self._targets[-1]
        wanted = np.zeros((self.num_envs, 6))
        wanted[:, 0], wanted[:, 1] = self._turn(late[:, 0], late[:, 1])
        wanted[:, 2] = late[:, 2]
        wanted[:, 3], wanted[:, 4] = self._turn(late[:, 3], late[:, 4])
        self.cells.move(wanted)
        before, self._tip = self._tip, self._measure_tip()
        self._velocity = (self._tip[:, :3] - before[:, :3]) * self.task.contract.control_hz

    def _turn(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return self.cos * x - self.sin * y, self.sin * x + self.cos * y

    def _measure_tip(self) -> Floats:
        """Tip (n, 3) and torch tilt (n, 2) in the job frame."""
        pose, tip = self.cells.pose, np.empty((self.num_envs, 5))
        for axis in (0, 3):
            x, y = pose[:, axis], pose[:, axis + 1]
            tip[:, axis] = self.cos * x + self.sin * y
            tip[:, axis + 1] = self.cos * y - self.sin * x
        tip[:, 2] = pose[:, 2]
        return tip

    def _sense(self) -> tuple[Floats, Floats, Floats]:
        """Table rows (n, 4, COLUMNS) here and ahead, error (n, 3) to the seam, tilt error (n, 2)."""
        tip = self._tip[:, :3] - self.start
        # The row nearest a step ago is near enough to project on: 5 mm on, the seam has hardly turned.
        row = self._nearest
        along = self._row_along + np.einsum("ij,ij->i", tip - row[:, :3], row[:, 3:6])
        np.clip(along, 0.0, self.task.seam.length, out=along)
        rows = self._look(along[:, None] + self._ahead * (self._feed * self.task.dt)[:, None])
        here = self._nearest = rows[:, 0]
        self._row_along = np.rint(along / self.task.seam.spacing) * self.task.seam.spacing
        gap = here[:, :3] - tip
        tangent = here[:, 3:6]
        error = gap - np.einsum("ij,ij->i", gap, tangent)[:, None] * tangent
        return rows, error, self._tilt + here[:, 6:8] - self._tip[:, 3:5]

    def _look(self, along: Floats) -> Floats:
        """The tables' rows nearest to these distances (n, k) along the seams."""
        index = np.rint(along * (1.0 / self.task.seam.spacing)).astype(np.int64)
        np.minimum(index, self._rows - 1, out=index)
        rows: Floats = self._table_rows[index + self._first_row[:, None]]
        return rows

    def _observe(self, rows: Floats, error: Floats, tilt_error: Floats) -> Observation:
        """What the robot senses, through its own miscalibrated and noisy seam sensor."""
        shop, count = self.workshop, self.num_envs
        seen = np.empty((count, len(self._observation_gain)))
        noise = self._noise.standard_normal((count, 17))
        noise[:, :3] *= shop.noise
        noise[:, 3:15] *= shop.noise / SENSOR_BASE
        noise[:, 15:] *= TILT_NOISE
        vectors = seen[:, :15].reshape(count, 5, 3)
        cos, sin = np.cos(shop.yaw_error), np.sin(shop.yaw_error)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        np.matmul(error, turn, out=vectors[:, 0])
        np.matmul(rows[:, :, 3:6], turn, out=vectors[:, 1:])
        seen[:, :3] += shop.tool_offset
        seen[:, 15:17] = tilt_error
        seen[:, :17] += noise
        seen[:, 17:20] = self._velocity
        seen[:, 20] = self._feed
        seen[:, 21] = self._speed
        seen[:, 22:27] = self._targets[0] - self._tip
        seen[:, 27:32] = self._actions[0]
        seen[:, 32:] = self._actions[1]
        seen *= self._observation_gain
        return np.clip(seen, -terms.LIMIT, terms.LIMIT).astype(np.float32)
