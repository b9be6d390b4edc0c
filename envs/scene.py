"""A task's scene with one robot in it, compiled: the attaching, the actuators, the robot's own figures."""

from __future__ import annotations

from functools import partial

import mujoco

from envs.changes import change_model
from envs.embodiment import Embodiment, load_embodiment
from envs.figures import check_workshop, robot_figure
from envs.names import PREFIX
from envs.task import SCENE, TOOL, Task
from envs.workshop import Workshop
from skills.errors import ContractError

__all__ = ["build_model", "substeps"]

MOST_SUBSTEPS = 100


def build_model(task: Task, workshop: Workshop, *, drawn: bool = False) -> mujoco.MjModel:
    """The task's scene with the workshop's robot in it, and that robot's peculiarities applied.

    Shapes that neither collide nor weigh anything are only `drawn`: without them a step is a tenth faster.

    Raises:
        ContractError: The bundle's MJCF does not compile, or workshop and task do not fit.
    """
    check_workshop(task.bundle, workshop)
    robot = load_embodiment(workshop.embodiment)
    drive = task.bundle.control
    if robot.drive != drive.kind:
        raise ContractError(
            f"{robot.name} is driven by {robot.drive}, not by {drive.kind}.",
            where="control.kind",
            remedy="Admit only embodiments that fit the task's control.",
        )
    try:
        scene = _assemble(task, robot, drawn=drawn)
        drive.add_actuators(scene)
        model = scene.compile(_meshes(task))
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(
            f"the scene does not compile: {error}",
            where=str(task.folder),
            remedy="A scene has a site `mount` and a body `work`; docs/tasks.md shows one.",
        ) from error
    drive.apply_figures(model, partial(_figure, task, workshop))
    for change in task.bundle.changes:
        if change.by in task.bundle.robots:
            change_model(model, change, robot_figure(task.bundle, workshop, change.by))
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def substeps(task: Task, model: mujoco.MjModel) -> int:
    """Physics steps in a control step.

    Raises:
        ContractError: The control period is no whole number of them, or too many.
    """
    exact = task.dt / model.opt.timestep if model.opt.timestep > 0 else 0.0
    if not 0.5 < exact < MOST_SUBSTEPS + 0.5 or abs(exact - round(exact)) > 1e-6 * exact:
        raise ContractError(
            f"a control step of {task.dt:g} s is {exact:g} physics steps of {model.opt.timestep:g} s.",
            where=str(task.folder / SCENE),
            remedy=f"Choose a timestep of which 1 to {MOST_SUBSTEPS} make a control step.",
        )
    return round(exact)


def _assemble(task: Task, robot: Embodiment, *, drawn: bool) -> mujoco.MjSpec:
    scene = mujoco.MjSpec.from_string(task.mjcf[SCENE].text)
    kind = mujoco.MjSpec.from_file(str(robot.path))
    for key in list(kind.keys):
        kind.delete(key)
    for text in list(kind.texts):
        kind.delete(text)
    kind.nkey = scene.nkey  # a number that files written by MuJoCo carry, and attaching compares
    if TOOL in task.mjcf:
        kind.attach(mujoco.MjSpec.from_string(task.mjcf[TOOL].text), site=kind.site("tool"), prefix="tool/")
    scene.worldbody.add_site(name="home", pos=robot.tool_position, quat=robot.tool_rotation)
    work, mount = scene.body("work"), scene.site("mount")
    if work is None or mount is None:
        raise ValueError(f"it has no {'body `work`' if work is None else 'site `mount`'}")
    if mount.parent.name != "world":
        raise ValueError(f"the site `mount` belongs to the body {mount.parent.name!r}, not to the world")
    work.pos = robot.tool_position
    scene.attach(kind, site=mount, prefix=PREFIX)
    for shape in [] if drawn else [geom for geom in scene.geoms if _only_drawn(geom)]:
        scene.delete(shape)
    return scene


def _meshes(task: Task) -> mujoco.MjVfs:
    """The bundle's meshes for the compiler, which would look for what it is not given on the disk."""
    given = mujoco.MjVfs()
    for name, content in {
        name: each for mjcf in task.mjcf.values() for name, each in mjcf.meshes.items()
    }.items():
        given[name] = content
    return given


def _figure(task: Task, workshop: Workshop, name: str, missing: float) -> float:
    return float(robot_figure(task.bundle, workshop, name, missing)[0])


def _only_drawn(geom: mujoco.MjsGeom) -> bool:
    return bool(geom.contype == 0 and geom.conaffinity == 0 and geom.mass == 0)
