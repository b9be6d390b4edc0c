"""Make an embodiment of somebody's URDF or MJCF: the tool site, the home pose and what every arm has here.

Shapes and meshes are left out: nothing of an arm collides or is needed to move it. Whether the result is
any good is `envs.embodiment_check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np

from skills.errors import ContractError

__all__ = ["import_robot"]

ARMATURE, DAMPING = 0.1, 8.0
"""Of every joint: a geared arm under torque control, the same for all arms."""


def import_robot(
    source: Path, *, tool_body: str, home: Sequence[float], product: str, reach: float = 0.0
) -> str:
    """MJCF of an embodiment.

    Args:
        source: URDF or MJCF of a fixed-base arm.
        tool_body: The last link; the tool site is made there.
        home: Joint angles with the tool pointing straight down, rad.
        product: Maker and model, for people.
        reach: How far the tool's tip is below that link's origin at home, m.

    Raises:
        ContractError: The file does not load, has no such link, or other joints than `home` says.
    """
    try:
        spec = mujoco.MjSpec.from_file(str(source))
        _strip(spec)
        model = spec.compile()
    except ValueError as error:
        raise _refusal(source, f"it does not load: {error}", "Check its mesh paths and joints.") from error
    body = spec.body(tool_body)
    if body is None:
        names = ", ".join(model.body(i).name for i in range(1, model.nbody))
        raise _refusal(source, f"no link {tool_body!r}", f"It has {names}.")
    if model.nq != len(home):
        joints = ", ".join(model.joint(i).name for i in range(model.njnt))
        raise _refusal(source, f"{len(home)} angles for {model.nq} joints", f"In this order: {joints}.")
    data = mujoco.MjData(model)
    data.qpos[:] = home
    mujoco.mj_kinematics(model, data)
    turned = data.body(tool_body).xmat.reshape(3, 3)
    # In the link's own axes: where the tip is, and the rotation that makes the site's z point up.
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, turned.T.ravel())
    body.add_site(name="tool", pos=turned.T @ [0, 0, -reach], quat=quaternion, size=[0.004, 0.004, 0.004])
    spec.add_key(name="home", qpos=list(home))
    spec.add_text(name="product", data=product)
    spec.compile()
    xml: str = spec.to_xml()
    return xml


def _keep_torque_limits(spec: mujoco.MjSpec) -> None:
    """Give joints without a limit that of the motor that drives them, as robosuite's files have it."""
    joints = {joint.name: joint for joint in spec.joints}
    for actuator in spec.actuators:
        joint = joints.get(actuator.target)
        low, high = actuator.ctrlrange * actuator.gear[0]
        if joint is not None and low < high and not joint.actfrcrange.any():
            joint.actfrcrange = [low, high]
            joint.actfrclimited = True


def _strip(spec: mujoco.MjSpec) -> None:
    _keep_torque_limits(spec)
    for group in (spec.geoms, spec.meshes, spec.textures, spec.materials, spec.actuators, spec.sensors,
                  spec.keys, spec.cameras, spec.lights, spec.sites, spec.texts, spec.excludes):  # fmt: skip
        for element in list(group):
            spec.delete(element)
    spec.option.integrator = (
        mujoco.mjtIntegrator.mjINT_EULER
    )  # the task's scene decides; none differs from it
    for joint in spec.joints:
        joint.armature = ARMATURE
        joint.damping = [DAMPING, 0, 0]  # the linear coefficient
    for body in spec.bodies[1:]:
        body.gravcomp = 1.0
        body.explicitinertial = True


def _refusal(source: Path, message: str, remedy: str) -> ContractError:
    return ContractError(f"{message}.", where=str(source), remedy=remedy)
