"""Check a robot's own file: does it hold what tasks need, and does it follow as the others do?

Findings are for people and scripts, as those of `envs.examine`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np

from envs.embodiment import OWN_FOLDER, Embodiment, embodiment_names, read_embodiment
from envs.examine import Finding
from envs.start import make_cells
from envs.task import load_task
from envs.workshop import data_sheet
from skills.errors import ContractError

__all__ = ["check_embodiment"]

RADIUS, SPEED = 0.06, 0.1
"""The circle that every arm must follow, m and m/s."""
MOST_OFF, MOST_TURNED = 0.010, np.radians(3.0)
ROOM = 0.2
"""Home must be so far from joint limits, rad."""


def check_embodiment(path: Path) -> Iterator[Finding]:
    """Read it, look at its figures, and let an arm follow a circle."""
    try:
        robot = read_embodiment(path)
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ContractError, ValueError) as error:
        remedy = error.remedy if isinstance(error, ContractError) else ""
        yield Finding("reads", passed=False, text=str(error), remedy=remedy)
        return
    yield Finding("reads", passed=True, text=f"{robot.product}: {model.nv} axes, driven by {robot.drive}")
    if robot.name in embodiment_names() and path.resolve() != robot.path.resolve():
        yield Finding("name", passed=False, text=f"{robot.name} is taken", remedy="Name the file otherwise.")
    if robot.drive != "impedance":
        return
    yield from _figures(robot, model)
    yield _follows(path, robot)


def _figures(robot: Embodiment, model: mujoco.MjModel) -> Iterator[Finding]:
    yield _finding(
        "home",
        abs(abs(robot.tool_rotation[0]) - 1) < 0.01,
        f"the tool is at {robot.tool_position.round(3).tolist()} m",
        "At home the tool site's axes must be the base's: z up, x forward.",
    )
    limited = model.jnt_limited.astype(bool)
    low, high = model.jnt_range[limited].T
    room = np.minimum(robot.home[limited] - low, high - robot.home[limited]).min(initial=np.pi)
    yield _finding(
        "joint limits",
        room > ROOM,
        f"home is {room:.2f} rad or more away from the nearest",
        "Choose another home, or mend the ranges (degrees for radians?).",
    )
    without = [model.joint(number).name for number in np.flatnonzero(model.jnt_actfrclimited == 0)]
    yield _finding(
        "torque limits",
        not without,
        f"missing for {', '.join(without)}" if without else "every joint has one",
        "Write actuatorfrcrange from the data sheet.",
    )
    heavy = np.flatnonzero((model.body_mass > 0) & (model.body_gravcomp != 1))
    names = [model.body(int(number)).name for number in heavy]
    yield _finding(
        "gravity",
        not names,
        f"not compensated for {', '.join(names)}" if names else "compensated",
        'Write gravcomp="1" on every body.',
    )


def _finding(check: str, good: object, text: str, remedy: str) -> Finding:
    return Finding(check, bool(good), text, "" if good else remedy)


def _follows(path: Path, robot: Embodiment) -> Finding:
    before = os.environ.get(OWN_FOLDER)
    os.environ[OWN_FOLDER] = str(path.resolve().parent)
    try:
        off, turned = _circle(robot.name)
    except ContractError as error:
        return Finding("follows", passed=False, text=error.message, remedy=error.remedy)
    finally:
        if before is None:
            del os.environ[OWN_FOLDER]
        else:
            os.environ[OWN_FOLDER] = before
    text = (
        f"a circle of {RADIUS * 100:.0f} cm within {off * 1000:.1f} mm and {np.degrees(turned):.1f} degrees"
    )
    good = off < MOST_OFF and turned < MOST_TURNED
    return _finding("follows", good, text, "Compare masses, armature and damping with envs/arms.")


def _circle(name: str) -> tuple[float, float]:
    task = load_task("weld-seam")
    cells = make_cells(task, data_sheet(task.file, name), 1)
    cells.reset(np.array([0]), np.random.default_rng(1))
    start, off, turned = cells.pose[0].copy(), 0.0, 0.0
    for step in range(150):
        angle = SPEED * step * task.dt / RADIUS
        target = np.zeros(6)
        target[:3] = start[:3] + RADIUS * np.array([np.sin(angle), 1 - np.cos(angle), 0.0])
        cells.move(target[None])
        off = max(off, float(np.linalg.norm(cells.pose[0, :3] - target[:3])))
        turned = max(turned, float(np.abs(cells.pose[0, 3:]).max()))
    return off, turned
