"""Start poses: the robot at rest near home with what it holds, the rest of the scene as its file has it."""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
from mujoco import batch
from numpy.typing import NDArray

from envs.embodiment import Embodiment, load_embodiment
from envs.names import PREFIX, TOOL, of_arm
from envs.physics import Cells
from envs.scene import build_model, substeps
from envs.task import Task, load_task
from envs.values import Floats
from envs.workshop import Workshop, data_sheet
from skills.errors import ContractError

__all__ = ["make_cells", "own_bodies", "settle"]

BANK_SIZE = 48
SETTLING_STEPS = 75
MOST_OFF, MOST_TURNED = 0.05, 0.2
"""The tool settles so near its set-point, m and rad, or the robot cannot reach it."""


def make_cells(task: Task, workshop: Workshop, count: int, threads: int = 1) -> Cells:
    """`count` cells of a workshop.

    Raises:
        ContractError: Task, workshop and scene do not fit together.
    """
    model = build_model(task, workshop)
    robot = load_embodiment(workshop.embodiment)
    return Cells(
        model,
        robot,
        settle(str(task.folder), workshop.embodiment, task.digest, robot.digest),
        count,
        substeps=substeps(task, model),
        floating=task.bundle.control.floating,
        threads=threads,
    )


@lru_cache(maxsize=64)
def settle(folder: str, embodiment: str, *digests: str) -> Floats:  # noqa: ARG001 - keys of the cache
    """Positions (BANK_SIZE, nq) to start from: found once, so that a reset costs nothing.

    The robot's hold for every workshop: at rest, gravity compensated, neither stiffness nor friction nor
    payload moves the tool from its set-point. Nothing touches while they are sought.

    Raises:
        ContractError: The robot does not come near its start poses.
    """
    task = load_task(folder)
    robot = load_embodiment(embodiment)
    model = build_model(task, data_sheet(task.bundle, embodiment))
    reach = np.random.default_rng(0).uniform(-1, 1, (BANK_SIZE, 3)) * task.bundle.reach
    # What moves in the tool itself begins as its file has it.
    names = [model.body(number).name for number in range(model.nbody)]
    home = _positions_of(model, np.array([of_arm(name) for name in names]))
    own = _positions_of(model, own_bodies(model) & [not name.startswith(TOOL) for name in names])
    bank = np.tile(model.qpos0, (BANK_SIZE, 1))
    if task.bundle.control.floating:
        bank[:, home] = robot.home
        bank[:, home[:3]] += reach
        return bank
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    cells = batch.Batch(model, BANK_SIZE, 1)
    positions, control, pose = (cells.bind(part) for part in ("qpos", "ctrl", "actuator_length"))
    positions[:, home] = robot.home
    control[:, :3] = reach
    cells.step(nstep=SETTLING_STEPS * substeps(task, model))
    cells.forward()  # the engine begins anew, without a word, where numbers grow beyond bounds
    _check_reached(model, robot, np.abs(pose[:, :3] - reach).max(), np.abs(pose[:, 3:6]).max())
    bank[:, own] = positions[:, own]
    return bank


def own_bodies(model: mujoco.MjModel) -> NDArray[np.bool_]:
    """Which bodies (nbody,) are the robot's or tied to it when an episode begins, such as a held part."""
    own, root = _robot_bodies(model), model.body_rootid
    for first, second in (pair for pair in _tied_bodies(model) if 0 not in root[list(pair)]):
        if own[first] or own[second]:
            own |= np.isin(root, root[[first, second]])
    return own


def _robot_bodies(model: mujoco.MjModel) -> NDArray[np.bool_]:
    return np.array([model.body(number).name.startswith(PREFIX) for number in range(model.nbody)])


def _tied_bodies(model: mujoco.MjModel) -> list[tuple[int, int]]:
    ties = {int(mujoco.mjtEq.mjEQ_CONNECT), int(mujoco.mjtEq.mjEQ_WELD)}
    found = []
    for number in range(model.neq):
        if int(model.eq_type[number]) in ties and model.eq_active0[number]:
            ends = (int(model.eq_obj1id[number]), int(model.eq_obj2id[number]))
            if model.eq_objtype[number] == int(mujoco.mjtObj.mjOBJ_SITE):
                ends = (int(model.site_bodyid[ends[0]]), int(model.site_bodyid[ends[1]]))
            found.append(ends)
    return found


def _positions_of(model: mujoco.MjModel, bodies: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which of `qpos` are the joints' of these bodies."""
    ends = [*model.jnt_qposadr[1:].tolist(), model.nq]
    each = [
        np.arange(model.jnt_qposadr[joint], ends[joint])
        for joint in range(model.njnt)
        if bodies[model.jnt_bodyid[joint]]
    ]
    return np.concatenate(each) if each else np.zeros(0, np.int64)


def _check_reached(model: mujoco.MjModel, robot: Embodiment, off: float, turned: float) -> None:
    if off < MOST_OFF and turned < MOST_TURNED:
        return
    x, y, z = (float(number) for number in model.site("mount").pos)
    tool = ", ".join(f"{number:.2f}" for number in robot.tool_position)
    raise ContractError(
        f"from the site `mount` at ({x:g}, {y:g}, {z:g}) {robot.name}'s tool stays {off:.2f} m and "
        f"{turned:.1f} rad away from its start poses.",
        where="scene.xml",
        remedy=f"Put `mount` at 0 0 0, unturned: the tool starts within `reach` of ({tool}) in the scene; "
        "or lessen `reach`, or what the tool holds.",
    )
