"""The nominal twin of an arm: which joint efforts its data sheet's arm would need for a motion in free air.

What a real one needs beyond that, and what it means, is left to `fleet.health.figures`.
"""

from __future__ import annotations

import mujoco
import numpy as np

from envs.names import PREFIX, of_arm
from envs.scene import build_model
from envs.task import Task
from envs.values import Floats
from envs.workshop import data_sheet
from skills.errors import ContractError

__all__ = ["NominalArm"]

FREE = mujoco.mjtDisableBit.mjDSBL_CONTACT | mujoco.mjtDisableBit.mjDSBL_EQUALITY


class NominalArm:
    """An embodiment with a task's tool, as its data sheet says.

    Args:
        task: Whose tool it has.
        embodiment: The arm.

    Attributes:
        joints: How many it has.
        period: Seconds of the task's control step.

    Raises:
        ContractError: The robot is no arm with joints that turn.
    """

    def __init__(self, task: Task, embodiment: str) -> None:
        sheet = data_sheet(task.bundle, embodiment)
        self._model, self._heavier = build_model(task, sheet), build_model(task, sheet)
        tool = int(self._heavier.site(f"{PREFIX}tool").bodyid[0])
        self._heavier.body_mass[tool] += 1.0
        mujoco.mj_setConst(self._heavier, mujoco.MjData(self._heavier))
        for model in (self._model, self._heavier):
            model.opt.disableflags |= FREE
        names = [self._model.body(int(body)).name for body in self._model.dof_bodyid]
        self._own = np.flatnonzero([of_arm(name) for name in names])
        kinds = self._model.jnt_type[self._model.dof_jntid[self._own]]
        if not len(kinds) or (kinds == mujoco.mjtJoint.mjJNT_FREE).any():
            raise ContractError(
                f"{embodiment} has no joints of its own.",
                where="embodiment",
                remedy="Only an arm's wear can be told from its joints.",
            )
        self._places = self._model.jnt_qposadr[self._model.dof_jntid[self._own]]
        self.joints, self.period = len(self._own), task.dt

    def efforts(self, positions: Floats, velocities: Floats, accelerations: Floats) -> tuple[Floats, Floats]:
        """Efforts (steps, joints), N m, of motions (steps, joints); and what one kg in the tool adds."""
        found = [
            self._inverse(each, positions, velocities, accelerations) for each in (self._model, self._heavier)
        ]
        return found[0], found[1] - found[0]

    def _inverse(
        self, model: mujoco.MjModel, positions: Floats, velocities: Floats, accelerations: Floats
    ) -> Floats:
        data = mujoco.MjData(model)
        found = np.zeros_like(positions)
        for step, (position, velocity, acceleration) in enumerate(
            zip(positions, velocities, accelerations, strict=True)
        ):
            data.qpos[self._places] = position
            data.qvel[self._own], data.qacc[self._own] = velocity, acceleration
            mujoco.mj_inverse(model, data)
            found[step] = data.qfrc_inverse[self._own]
        return found
