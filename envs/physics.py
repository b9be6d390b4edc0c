"""Many copies of one robot in its cell, stepped together on `mujoco.batch`.

It knows poses and set-points in the home frame, nothing of seams or rewards: those are `envs.vector`.
"""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from envs.embodiment import build_model, load_embodiment
from envs.task import Task, load_task
from envs.workshop import Workshop

__all__ = ["Cells"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

BANK_SIZE = 48
BANK_REACH = (0.04, 0.04, 0.02)
"""Start poses lie within this box around home, m."""
SETTLING_STEPS = 75


class Cells:
    """`count` cells of one workshop; a pose is (x, y, z, rx, ry, rz) from home, m and rad.

    `pose` (count, 6) is where the tool is now: the engine's own measure, live.
    """

    def __init__(self, task: Task, workshop: Workshop, count: int, threads: int = 1) -> None:
        model = build_model(task, workshop)
        self._substeps = round(task.dt / model.opt.timestep)
        self._batch = batch.Batch(model, count, threads, persistent=True)
        self._angles = self._batch.bind("qpos")
        self._control = self._batch.bind("ctrl")
        self.pose: Floats = self._batch.bind("actuator_length")
        self._bank = _settle(str(task.scene.parent), workshop.embodiment)

    def reset(self, cells: Indices, random: np.random.Generator) -> None:
        """Put these cells at rest in start poses drawn from the bank."""
        chosen = random.integers(len(self._bank), size=len(cells))
        self._batch.reset(cells, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._angles[cells] = self._bank[chosen]
        self._batch.forward(cells)

    def move(self, targets: Floats) -> None:
        """Pull every tool towards its target pose (count, 6) for one control step."""
        self._control[:] = targets
        self._batch.step(nstep=self._substeps, stage=mujoco.mjtStage.mjSTAGE_VEL)

    def joint_angles(self, cell: int) -> Floats:
        """One robot's joint angles (joints,), rad: for pictures, not for policies."""
        angles: Floats = self._angles[cell].copy()
        return angles


@lru_cache(maxsize=64)
def _settle(bundle: str, embodiment: str) -> Floats:
    """Joint angles (BANK_SIZE, joints) at rest near home: found once, so that a reset costs nothing.

    They hold for every workshop of the arm: at rest, gravity compensated, neither stiffness nor
    friction nor payload moves the tool from its set-point.
    """
    task = load_task(bundle)
    model = build_model(task, Workshop(name="bank", embodiment=embodiment))
    cells = batch.Batch(model, BANK_SIZE, 1)
    angles, control = cells.bind("qpos"), cells.bind("ctrl")
    angles[:] = load_embodiment(embodiment).home
    control[:, :3] = np.random.default_rng(0).uniform(-1, 1, (BANK_SIZE, 3)) * BANK_REACH
    cells.step(nstep=SETTLING_STEPS * round(task.dt / model.opt.timestep))
    settled: Floats = angles.copy()
    return settled
