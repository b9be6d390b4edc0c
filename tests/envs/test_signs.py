"""What docs/tasks.md says of signs and of contacts is so."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from envs.names import PREFIX
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet
from tests.envs.bundles import small_task

HEADING = ("heading = { low = -1.0, high = 1.0", "heading = { nominal = 0.0")
MOVED = 'name = "velocity"\nof = "tool.velocity"\nscale = 0.1\n\n[reward]'
TURNED = """\
name = "advance"
of = "tool.advance"
scale = 0.1

[[action]]
name = "tilt"
of = "tool.tilt"
scale = 0.3

[[action]]
name = "turn"
of = "tool.turn"
scale = 0.3

[reward]"""
CONTROLLER = ("velocity = [", "advance = [")
PART = ('of = "position", gain', 'of = "position", part = [2, 3], gain')
PRESSED = """\
<mujoco>
  <option timestep="0.001" gravity="0 0 0"/>
  <worldbody>
    <geom type="plane" size="1 1 0.1" solref="-3000 -60" solimp="{solimp}"/>
    <body pos="0 0 0.1">
      <joint type="slide" axis="0 0 1"/>
      <geom type="sphere" size="0.01" mass="0.5" contype="0" conaffinity="0"/>
      <body pos="0 0 -0.09">
        <site name="tool"/>
        <geom type="sphere" size="0.01" mass="0.5" solref="-3000 -60" solimp="{solimp}"/>
      </body>
    </body>
  </worldbody>
  <sensor><force site="tool"/></sensor>
</mujoco>
"""


def pressed(solimp: str, force: float) -> tuple[float, float, float]:
    """A ball on the floor: its depth, m, the sensor's z, N, and the mass that the contact reckons with."""
    model = mujoco.MjModel.from_xml_string(PRESSED.format(solimp=solimp))
    data = mujoco.MjData(model)
    for _ in range(4000):
        data.qfrc_applied[0] = -force
        mujoco.mj_step(model, data)
    return -float(data.qpos[0]), float(data.sensordata[2]), 1.0 / float(model.body_invweight0[2, 0])


@pytest.mark.parametrize("axis", range(4))
def test_up_is_positive_and_rotations_are_right_handed(axis: int, tmp_path: Path) -> None:
    task = small_task(tmp_path, HEADING, (MOVED, TURNED), CONTROLLER, PART)
    env = TaskVectorEnv(task, data_sheet(task.bundle, "ur5e"), 1, seed=0)
    env.reset()
    data = mujoco.MjData(env.cells.model)

    def pose() -> tuple[np.ndarray, np.ndarray]:
        env.cells.show(0, data)
        mujoco.mj_kinematics(env.cells.model, data)
        tool = data.site(f"{PREFIX}tool")
        return tool.xpos.copy(), tool.xmat.reshape(3, 3).copy()

    (before, turned_before), action = pose(), np.eye(4, dtype=np.float32)[[axis]]
    for _ in range(15):
        env.step(action)
    after, turned = pose()
    home = data.site("home").xmat.reshape(3, 3)
    turn = turned @ turned_before.T
    spin = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    moved = np.concatenate([(home.T @ (after - before))[2:], home.T @ spin])
    assert moved[axis] > 0.02
    assert env.quantities.view("tool.position", "tool.turn")[0, 2 + axis] > 0.02


def test_pressing_down_is_a_negative_force_and_sinks_in_as_the_formula_says() -> None:
    for start, pushed in ((0.9, 10.0), (0.9, 20.0), (0.5, 10.0)):
        depth, force, mass = pressed(f"{start} 0.9 0.01 0.5 2", pushed)
        assert force == pytest.approx(-pushed, rel=1e-3)
        # solimp's first half of the way, where x is the depth over 0.01, goes like 2 x².
        d = start + (0.9 - start) * 2 * (depth / 0.01) ** 2
        assert depth == pytest.approx(pushed / (mass * 3000 * (d / 0.9) ** 2 / (1 - d)), rel=1e-3)
