"""Arms, and how one robot differs from the data sheet of its kind.

An arm is data: `arms/<name>.xml` with joints, a site `tool` at the torch tip and a keyframe `home`
that points the torch straight down. A seventh arm is one more file. Stepping the compiled model is
left to `envs.physics`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.task import Task
from envs.workshop import Workshop
from skills.errors import ContractError

__all__ = ["Embodiment", "build_model", "embodiment_names", "load_embodiment"]

ARMS = Path(__file__).parent / "arms"
PREFIX = "arm/"


@dataclass(frozen=True)
class Embodiment:
    """One kind of arm.

    Attributes:
        product: Maker and model, for people.
        home: Joint angles of the home pose, rad.
        tool_position: Where the torch tip is at home, (3,), m from the arm's base.
        tool_rotation: Its orientation there, quaternion (4,).
    """

    name: str
    product: str
    path: Path
    home: NDArray[np.float64]
    tool_position: NDArray[np.float64]
    tool_rotation: NDArray[np.float64]


def embodiment_names() -> tuple[str, ...]:
    """The arms of this package, sorted."""
    return tuple(sorted(path.stem for path in ARMS.glob("*.xml")))


@lru_cache(maxsize=64)
def load_embodiment(name: str) -> Embodiment:
    """Read an arm by name.

    Raises:
        ContractError: There is no such arm, or its file lacks the tool site or the home pose.
    """
    path = ARMS / f"{name}.xml"
    if re.fullmatch(r"[a-z0-9_-]+", name) is None or not path.is_file():
        raise ContractError(
            f"no arm {name!r}.",
            where="embodiment",
            remedy=f"Choose one of {', '.join(embodiment_names())}, or add a file to envs/arms.",
        )
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        model = spec.compile()
        data = mujoco.MjData(model)
        mujoco.mj_resetDataKeyframe(model, data, model.key("home").id)
        mujoco.mj_kinematics(model, data)
        tool = data.site("tool")
        rotation = np.zeros(4)
        mujoco.mju_mat2Quat(rotation, tool.xmat)
        product = spec.text("product").data
    except (ValueError, KeyError) as error:
        raise ContractError(
            f"not an arm: {error}",
            where=str(path),
            remedy="An arm has a site `tool`, a keyframe `home` and a custom text `product`.",
        ) from error
    return Embodiment(name, product, path, data.qpos.copy(), tool.xpos.copy(), rotation)


def build_model(task: Task, workshop: Workshop, *, drawn: bool = False) -> mujoco.MjModel:
    """The task's scene with the workshop's arm in it, and that robot's peculiarities applied.

    Nothing collides and inertia is given, so shapes are only `drawn`: without them a step is a
    tenth faster.
    """
    model = _compile_scene(task, load_embodiment(workshop.embodiment), drawn=drawn)
    model.dof_damping[:] *= workshop.damping
    model.dof_frictionloss[:] = workshop.friction
    model.actuator_gainprm[:, 0] *= workshop.impedance
    model.actuator_biasprm[:, 1] *= workshop.impedance
    # A damping ratio stays what it was when the damping follows the root of the stiffness.
    model.actuator_biasprm[:, 2] *= np.sqrt(workshop.impedance)
    model.body(f"{PREFIX}torch").mass[:] += workshop.payload
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _compile_scene(task: Task, arm: Embodiment, *, drawn: bool) -> mujoco.MjModel:
    scene = mujoco.MjSpec.from_file(str(task.scene))
    kind = mujoco.MjSpec.from_file(str(arm.path))
    for key in list(kind.keys):
        kind.delete(key)
    home, mount = scene.site("home"), scene.site("mount")
    home.pos, home.quat = arm.tool_position, arm.tool_rotation
    scene.body("workpiece").pos = arm.tool_position
    scene.attach(kind, site=mount, prefix=PREFIX)
    for shape in [] if drawn else list(scene.geoms):
        scene.delete(shape)
    return scene.compile()
