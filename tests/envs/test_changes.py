"""What figures change in the scene: of the robots once, of the jobs anew for each episode."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from envs.changes import change_model
from envs.format import Change
from envs.scene import build_model
from envs.task import Task
from envs.values import Floats
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet
from skills.errors import ContractError
from tests.envs.bundles import small_task

SCENE = """\
<mujoco model="small">
  <option timestep="0.004"/>
  <worldbody>
    <site name="mount"/>
    <body name="work"/>
    <body name="gate" pos="0 0 1">
      <joint name="hinge" axis="0 1 0"/>
      <geom name="leaf" type="box" pos="0.2 0 0" size="0.1 0.1 0.01" solref="-400 -20"/>
      <body name="bob">
        <geom size="0.01" mass="0.001"/>
      </body>
      <body name="latch" pos="0.3 0 -0.4">
        <joint name="slide" type="slide" axis="0 0 1"/>
        <geom name="bolt" size="0.05" mass="1"/>
      </body>
    </body>
  </worldbody>
</mujoco>
"""
CHANGED = {
    "centre": ("gate", -0.3),
    "damping": ("hinge", 0.3),
    "friction": ("hinge", 0.2),
    "length": ("latch", 1.5),
    "mass": ("gate", 2.5),
    "position": ("slide", 0.07),
}
TABLES = "\n\n".join(
    f'[[changes]]\nwhat = "{what}"\nof = "{of}"\nby = "{what}"' for what, (of, _) in CHANGED.items()
)
LEAST = {"centre": -5.0, "length": 0.1}
FIGURES = "\n".join(f"{what} = {{ low = {LEAST.get(what, 0.0)}, high = 5.0 }}" for what in CHANGED)


def changing(folder: Path) -> Task:
    """The small task with a gate in its scene, all of which is the jobs'."""
    figures = ("[jobs]", f"[jobs]\n{FIGURES}")
    return small_task(folder, figures, ("[quantities.high]", f"{TABLES}\n\n[quantities.high]"), scene=SCENE)


def test_each_kind_of_change_writes_what_it_says(tmp_path: Path) -> None:
    model = build_model(small_task(tmp_path / "Bundle", scene=SCENE), data_sheet_of(tmp_path))
    given = (("friction", "leaf", 0.7), ("radius", "bolt", 0.02), ("stiffness", "leaf", 1600.0))
    for what, of, value in (*given, *((what, of, value) for what, (of, value) in CHANGED.items())):
        if what != "position":
            change_model(model, Change(what=what, of=of, by="figure"), np.array([value]))
    assert model.geom("leaf").friction[0] == 0.7
    assert model.geom("bolt").size[0] == 0.02
    assert model.geom("leaf").solref.tolist() == [-1600, -40]
    assert model.joint("hinge").damping == 0.3
    assert model.joint("hinge").frictionloss == 0.2
    assert model.body("gate").mass == 2.5
    assert np.allclose(model.body("gate").ipos, [-0.3, 0, 0])
    assert np.allclose(model.body("latch").pos, [0.9, 0, -1.2])


def data_sheet_of(folder: Path) -> Workshop:
    return data_sheet(small_task(folder / "Sheet").file, "ur5e")


def test_a_jobs_figures_are_each_simulations_own_and_new_in_each_episode(tmp_path: Path) -> None:
    task = changing(tmp_path / "Bundle")
    env = TaskVectorEnv(task, data_sheet(task.file, "panda"), 3, seed=0)
    for _ in range(2):
        env.reset()
        figures = {what: env._figures.of(what)[:, 0] for what in CHANGED}
        cells, model = env.cells, env.cells.model
        hinge, gate, latch = model.joint("hinge"), model.body("gate").id, model.body("latch").id
        assert np.array_equal(cells.figures_of("dof_damping")[:, hinge.dofadr[0]], figures["damping"])
        assert np.array_equal(cells.figures_of("dof_frictionloss")[:, hinge.dofadr[0]], figures["friction"])
        assert np.array_equal(cells.figures_of("body_mass")[:, gate], figures["mass"])
        assert np.allclose(cells.figures_of("body_ipos")[:, gate, 0], figures["centre"])
        # What the engine derives follows: where bodies are, and what hangs on each.
        places, _ = cells.body_poses()
        along = figures["length"][:, None] * [0.6, 0, -0.8] + [0, 0, 1]
        along[:, 2] += figures["position"]
        assert np.allclose(places[:, latch], along)
        assert np.allclose(cells.figures_of("body_subtreemass")[:, gate], figures["mass"] + 1.001)
        assert len({*figures["mass"].tolist()}) == 3
    first = env._figures.of("mass").copy()
    env.step(np.zeros((3, 3), np.float32))
    assert np.array_equal(env._figures.of("mass"), first)


def rotation(x: float, y: float) -> Floats:
    """The matrix of a rotation vector without a z, by the engine's own hand."""
    quaternion, matrix, angle = np.zeros(4), np.zeros(9), float(np.hypot(x, y))
    mujoco.mju_axisAngle2Quat(quaternion, np.array([x, y, 0.0]) / (angle or 1.0), angle)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def matrices(env: TaskVectorEnv, body: str) -> Floats:
    number = env.cells.model.body(body).id
    found = np.zeros((env.num_envs, 9))
    for row, quaternion in zip(found, env.cells.body_poses()[1][:, number], strict=True):
        mujoco.mju_quat2Mat(row, np.ascontiguousarray(quaternion))
    return found.reshape(-1, 3, 3)


def tilting(folder: Path, of: str, side: str, scene: str) -> Task:
    table = f'[[changes]]\nwhat = "tilt"\nof = "{of}"\nby = "lean"\n\n[quantities.high]'
    lean = f"{side}\nlean = {{ low = [-0.4, -0.4], high = [0.4, 0.4], nominal = [0.3, -0.2] }}"
    return small_task(folder / "Bundle", (side, lean), ("[quantities.high]", table), scene=scene)


WORK = '<body name="work"/>'
MOVED = SCENE.replace(WORK, '<body name="work" mocap="true"><body name="top" pos="0 0 0.1"/></body>')


@pytest.mark.parametrize("side", ["[robots]", "[jobs]"])
def test_the_work_is_tilted_in_its_job_frame_wherever_the_job_lies(tmp_path: Path, side: str) -> None:
    task = tilting(tmp_path, "work", side, MOVED)
    env = TaskVectorEnv(task, data_sheet(task.file, "panda"), 3, seed=0)
    seen = []
    for _ in range(2):
        env.reset()
        lean, heading = env._figures.of("lean"), env._figures.of("heading")[:, 0]
        assert len({*heading.tolist()}) == 3
        for number, found in enumerate(matrices(env, "top")):
            cos, sin = np.cos(heading[number]), np.sin(heading[number])
            turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
            assert np.allclose(found, turn @ rotation(*lean[number]), atol=1e-12)
        seen.append(lean.copy())
    assert np.array_equal(seen[0], seen[1]) == (side == "[robots]")
    assert (side == "[robots]") == np.array_equal(seen[0], np.tile([0.3, -0.2], (3, 1)))


@pytest.mark.parametrize("side", ["[robots]", "[jobs]"])
def test_a_body_is_tilted_about_its_own_place_with_what_it_carries(tmp_path: Path, side: str) -> None:
    task = tilting(tmp_path, "gate", side, SCENE.replace('0 0 1"', '0 0 1" euler="0 0 90"', 1))
    env = TaskVectorEnv(task, data_sheet(task.file, "panda"), 3, seed=0)
    env.reset()
    turned, places = matrices(env, "gate"), env.cells.body_poses()[0]
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    for number, lean in enumerate(env._figures.of("lean")):
        assert np.allclose(turned[number], rotation(*lean) @ quarter)
        latch = places[number, env.cells.model.body("latch").id]
        assert np.allclose(latch, [0, 0, 1] + turned[number] @ [0.3, 0, -0.4])
    drawn = mujoco.MjData(env.cells.model)
    env.cells.show(1, drawn)
    mujoco.mj_kinematics(env.cells.model, drawn)
    assert np.allclose(drawn.body("gate").xmat.reshape(3, 3), turned[1])


def test_a_changed_joint_moves_as_its_figures_say(tmp_path: Path) -> None:
    task = changing(tmp_path / "Bundle")
    figures = {"length": (0.5, 0.5), "mass": (1.0, 1.0), "position": (0.0, 0.0), "damping": (0.0, 0.0)}
    figures["centre"] = (0.2, 0.2)
    free, held = (
        TaskVectorEnv(
            task,
            Workshop(name="x", task="small", embodiment="panda", figures={**figures, "friction": (by, by)}),
            1,
            seed=0,
        )
        for by in (0.0, 5.0)
    )
    turned = []
    for env in (free, held):
        env.reset()
        for _ in range(10):
            env.step(np.zeros((1, 3), np.float32))
        turned.append(float(env.cells.positions[0, env.cells.model.joint("hinge").qposadr[0]]))
    assert turned[0] > 0.1
    assert abs(turned[1]) < 0.01


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    model = build_model(small_task(tmp_path / "Bundle", scene=SCENE), data_sheet_of(tmp_path))
    assert isinstance(model, mujoco.MjModel)
    with pytest.raises(ContractError, match=r"no geom or joint 'latch'"):
        change_model(model, Change(what="friction", of="latch", by="figure"), np.ones(1))


@pytest.mark.parametrize(
    ("figure", "of", "what", "said"),
    [
        ("low = -1.0, high = 1.0", "gate", "mass", "mass is not as little as -1"),
        ("low = 0.0, high = 1.0", "latch", "length", "length is not as little as 0"),
        ("low = [1.0, 1.0], high = [2.0, 2.0]", "gate", "mass", "not one number"),
        ("low = 1.0, high = 2.0", "gate", "tilt", "not two numbers"),
        ("low = [-1.0, -1.0], high = [1.0, 1.0]", "gate", "tilt", None),
        ("low = 1.0, high = 2.0", "gate", "length", None),
        ("low = -1.0, high = 1.0", "gate", "centre", None),
        ("low = -1.0, high = 1.0", "latch", "centre", "a centre of mass that is to lie aside"),
        ("low = 1.0, high = 2.0", "bob", "length", "at its parent's origin"),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    tmp_path: Path, figure: str, of: str, what: str, said: str | None
) -> None:
    table = f'[[changes]]\nwhat = "{what}"\nof = "{of}"\nby = "it"\n\n[quantities.high]'
    changes = (("[jobs]", f"[jobs]\nit = {{ {figure} }}"), ("[quantities.high]", table))

    def make() -> None:
        task = small_task(tmp_path / "Bundle", *changes, scene=SCENE)
        env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 1, seed=0)
        env.reset()

    if said is None:
        make()
        return
    with pytest.raises(ContractError, match=said):
        make()


def test_a_robot_figure_does_not_move_joints(tmp_path: Path) -> None:
    table = '[[changes]]\nwhat = "position"\nof = "hinge"\nby = "delay"\n\n[quantities.high]'
    with pytest.raises(ContractError, match="is a figure of the jobs"):
        small_task(tmp_path / "Bundle", ("[quantities.high]", table), scene=SCENE)
