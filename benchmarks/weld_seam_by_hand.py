"""Weld-seam by hand in numpy: what a compiled bundle is compared with, in speed and in every number.

It was the project's environment before tasks became data. Jobs are drawn by a compiled environment and
copied, so that both live through the same ones; `tests/envs/test_by_hand.py` compares them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.curves import COLUMNS
from envs.figures import robot_figure
from envs.start import make_cells
from envs.task import Task
from envs.terms.path import LivePath
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop

__all__ = ["HandWritten"]

Floats = NDArray[np.float64]

LENGTH, SPACING, LEAD_IN = 0.26, 0.001, 6
AHEAD = np.array([0, 2, 4, 7])
LEAD = np.array([0.025] * 3 + [0.15] * 2)
SMOOTHING, GRACE, SHARE, ABORT, JERK = 0.3, 20, 0.9, 0.04, 0.05
TILT_NOISE, SENSOR_BASE, LIMIT = 0.003, 0.02, 10.0
SCALES = (0.004, 1.0, 1.0, 0.05, 0.1, 0.05, 0.25, 0.01, 0.05, 1.0, 1.0)
SIZES = (3, 3, 9, 2, 3, 1, 1, 3, 2, 5, 5)
BELLS = (
    (0.010, 0.15, 0.0),
    (0.0025, 0.25, 0.0),
    (0.0018, 0.25, 0.0),
    (0.0523598776, 0.25, 0.8),
    (0.12, 0.25, 0.2),
)
TOLERANCES = (0.003, 0.002, 0.0872664626, 0.15)


class HandWritten:
    """One workshop's robot on `count` jobs at once; `step` is all that is measured."""

    def __init__(self, task: Task, workshop: Workshop, count: int) -> None:
        self.task, self.count = task, count
        self.cells = make_cells(task, workshop, count)
        self._gain = 1.0 / np.repeat(SCALES, SIZES)
        self._command_gain = np.array([0.15] * 3 + [0.6] * 2) * task.dt
        figures = {name: robot_figure(task.file, workshop, name) for name in task.file.robots}
        self._noise_of, self._yaw = float(figures["noise"][0]), float(figures["yaw_error"][0])
        self._tool_offset = figures["tool_offset"]
        self._delay = int(figures["delay"][0])

    def take_over(self, env: TaskVectorEnv, noise: np.random.Generator) -> None:
        """Begin with the jobs that a compiled environment has just drawn."""
        path = env.terms["seam"]
        assert isinstance(path, LivePath)  # noqa: S101 - for the type checker
        count = self.count
        self.cells.copy_from(env.cells)
        self.cos, self.sin = env.frame.cos.copy(), env.frame.sin.copy()
        self.start = env.frame.origin.copy()
        self._tables = path._tables.copy()  # noqa: SLF001
        self._rows = self._tables.reshape(-1, COLUMNS)
        self._first = np.arange(count) * self._tables.shape[1]
        self._tilt, self._feed = path._tilt.copy(), path._speed.copy()  # noqa: SLF001
        self._nearest, self._along = self._tables[:, LEAD_IN].copy(), np.full(count, LEAD_IN * SPACING)
        self._tip = self._measure_tip()
        self._targets = np.tile(self._tip, (self._delay + 1, 1, 1))
        self._velocity, self._speed = np.zeros((count, 3)), np.full(count, -1.0)
        self._actions = np.zeros((2, count, 5))
        self._steps, self._good = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self._noise = noise
        self._sense()  # as the first observation did

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Floats, NDArray[Any], NDArray[Any]]:
        """Observation, reward, failure, and whether this step was good."""
        action = np.clip(np.asarray(actions, dtype=np.float64), -1.0, 1.0)
        change = action - self._actions[0]
        self._actions[1], self._actions[0] = self._actions[0], action
        self._command(action)
        rows, error, tilt_error = self._sense()
        along = np.einsum("ij,ij->i", self._velocity, rows[:, 0, 3:6])
        self._speed += SMOOTHING * (along / self._feed - 1.0 - self._speed)
        measures = self._measure(error, rows[:, 0, 3:6], tilt_error)
        gained = np.zeros(self.count)
        for value, (width, weight, slope) in zip(measures, BELLS, strict=True):
            gained += weight * np.exp(np.square(value * (1.0 / width)) * -1.0)
            if slope:
                gained -= slope * value
        gained -= JERK * np.einsum("ij,ij->i", change, change)
        self._steps += 1
        good = self._steps > GRACE
        for value, limit in zip(measures[1:], TOLERANCES, strict=True):
            good &= value < limit
        self._good += good
        return self._observe(rows, error, tilt_error), gained, measures[0] > ABORT, good

    def _command(self, action: Floats) -> None:
        target = self._targets[0] + action * self._command_gain
        target[:, 0] += self._feed * self.task.dt
        np.clip(target, self._tip - LEAD, self._tip + LEAD, out=target)
        self._targets[1:] = self._targets[:-1].copy()
        self._targets[0] = target
        late = self._targets[-1]
        wanted = np.zeros((self.count, 6))
        wanted[:, 0], wanted[:, 1] = self._turn(late[:, 0], late[:, 1])
        wanted[:, 2] = late[:, 2]
        wanted[:, 3], wanted[:, 4] = self._turn(late[:, 3], late[:, 4])
        self.cells.move(wanted)
        before, self._tip = self._tip, self._measure_tip()
        self._velocity = (self._tip[:, :3] - before[:, :3]) * self.task.contract.control_hz

    def _turn(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        return self.cos * x - self.sin * y, self.sin * x + self.cos * y

    def _measure_tip(self) -> Floats:
        pose, tip = self.cells.pose, np.empty((self.count, 5))
        for axis in (0, 3):
            x, y = pose[:, axis], pose[:, axis + 1]
            tip[:, axis] = self.cos * x + self.sin * y
            tip[:, axis + 1] = self.cos * y - self.sin * x
        tip[:, 2] = pose[:, 2]
        return tip

    def _sense(self) -> tuple[Floats, Floats, Floats]:
        tip = self._tip[:, :3] - self.start
        row = self._nearest
        along = self._along + np.einsum("ij,ij->i", tip - row[:, :3], row[:, 3:6])
        np.clip(along, 0.0, LENGTH, out=along)
        ahead = along[:, None] + AHEAD * (self._feed * self.task.dt)[:, None]
        index = np.rint(ahead * (1.0 / SPACING)).astype(np.int64)
        np.minimum(index, self._tables.shape[1] - 1, out=index)
        rows = self._rows[index + self._first[:, None]]
        here = self._nearest = rows[:, 0]
        self._along = np.rint(along / SPACING) * SPACING
        gap = here[:, :3] - tip
        error = gap - np.einsum("ij,ij->i", gap, here[:, 3:6])[:, None] * here[:, 3:6]
        return rows, error, self._tilt + here[:, 6:8] - self._tip[:, 3:5]

    def _measure(self, error: Floats, tangent: Floats, tilt_error: Floats) -> tuple[Floats, ...]:
        squared = np.einsum("ij,ij->i", error, error)
        standoff = np.abs(error[:, 2]) / np.sqrt(1.0 - tangent[:, 2] ** 2)
        cross = np.sqrt(np.maximum(squared - standoff**2, 0.0))
        angle = np.sqrt(np.einsum("ij,ij->i", tilt_error, tilt_error))
        return np.sqrt(squared), cross, standoff, angle, np.abs(self._speed)

    def _observe(self, rows: Floats, error: Floats, tilt_error: Floats) -> NDArray[np.float32]:
        seen, noise = np.empty((self.count, 37)), self._noise.standard_normal((self.count, 17))
        noise[:, :3] *= self._noise_of
        noise[:, 3:15] *= self._noise_of / SENSOR_BASE
        noise[:, 15:] *= TILT_NOISE
        vectors = seen[:, :15].reshape(self.count, 5, 3)
        cos, sin = np.cos(self._yaw), np.sin(self._yaw)
        turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
        np.matmul(error, turn, out=vectors[:, 0])
        np.matmul(rows[:, :, 3:6], turn, out=vectors[:, 1:])
        seen[:, :3] += self._tool_offset
        seen[:, 15:17] = tilt_error
        seen[:, :17] += noise
        seen[:, 17:20] = self._velocity
        seen[:, 20], seen[:, 21] = self._feed, self._speed
        seen[:, 22:27] = self._targets[0] - self._tip
        seen[:, 27:32], seen[:, 32:] = self._actions
        seen *= self._gain
        return np.clip(seen, -LIMIT, LIMIT).astype(np.float32)
