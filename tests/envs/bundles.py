"""Bundles for tests: a small one to change, and copies of the package's own."""

from __future__ import annotations

import shutil
from pathlib import Path

from envs.task import BUNDLES, Task, load_task

SMALL = """\
format = "zunft.task/1"
name = "small"
title = "Hold still over the work"
licence = "Apache-2.0"
embodiments = ["ur5e", "panda"]
control_hz = 50.0
horizon = 20

[robots]
delay = { values = [0, 1], unit = "steps" }

[jobs]
heading = { low = -1.0, high = 1.0, unit = "rad" }

[quantities.high]
kind = "length"
of = "tool.position"
part = [2, 3]
unit = "m"

[[observation]]
name = "position"
of = "tool.position"
scale = 0.01

[[observation]]
name = "velocity"
of = "tool.velocity"
scale = 0.1

[[action]]
name = "velocity"
of = "tool.velocity"
scale = 0.1

[reward]
tolerance = [
  { of = "high", width = 0.01 },
]

[success]
steps = [{ of = "high", below = 0.01 }]

[scripted.p]
velocity = [{ of = "position", gain = -4.0 }]
"""
SCENE = """\
<mujoco model="small">
  <option timestep="0.004" gravity="0 0 0"/>
  <worldbody>
    <site name="mount"/>
    <body name="work"/>
  </worldbody>
</mujoco>
"""
TETRAHEDRON = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"
"""A mesh, as an OBJ file."""


def small_bundle(folder: Path, *, toml: str = SMALL, scene: str = SCENE) -> Path:
    """Write a bundle; `folder` must not look like a name of the package's tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.toml").write_text(toml)
    (folder / "scene.xml").write_text(scene)
    return folder


def small_task(folder: Path, *changes: tuple[str, str], scene: str = SCENE) -> Task:
    """The small task with some of its text replaced."""
    text = SMALL
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return load_task(small_bundle(folder, toml=text, scene=scene))


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(BUNDLES / name, folder / "Bundle"))
