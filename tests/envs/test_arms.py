"""The six arms: figures that hold together, and an impedance control that follows on each."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from envs.embodiment import embodiment_names, load_embodiment
from envs.scene import build_model
from envs.start import make_cells
from envs.task import load_task
from envs.workshop import Workshop
from skills.errors import ContractError

ARMS = ("iiwa", "kinova3", "panda", "sawyer", "ur5e", "xarm7")
TASK = load_task("weld-seam")

OTHER = {"impedance": 1.21, "damping": 2.0, "friction": 0.4, "payload": 1.0}
FIRST_TORQUE = {"iiwa": 320, "kinova3": 39, "panda": 87, "sawyer": 80, "ur5e": 150, "xarm7": 50}
LAST_TORQUE = {"iiwa": 40, "kinova3": 9, "panda": 12, "sawyer": 9, "ur5e": 28, "xarm7": 20}


def test_the_catalogue_lists_the_six_arms() -> None:
    assert set(embodiment_names()) >= set(ARMS)


@pytest.mark.parametrize("arm", ARMS)
def test_home_points_the_torch_straight_down_away_from_joint_limits(arm: str) -> None:
    embodiment = load_embodiment(arm)
    # The tool frame's z axis points back along the torch, x forward.
    assert np.allclose(np.abs(embodiment.tool_rotation), [1, 0, 0, 0], atol=1e-3)
    assert 0.1 < embodiment.tool_position[2] < 0.35
    model = mujoco.MjModel.from_xml_path(str(embodiment.path))
    limited = model.jnt_limited.astype(bool)
    low, high = model.jnt_range[limited].T
    home = embodiment.home[limited]
    assert np.minimum(home - low, high - home).min() > 0.3


@pytest.mark.parametrize("arm", ARMS)
def test_joint_ranges_are_radians_and_torques_those_of_the_data_sheet(arm: str) -> None:
    model = mujoco.MjModel.from_xml_path(str(load_embodiment(arm).path))
    assert model.nv == (6 if arm == "ur5e" else 7)
    limited = model.jnt_limited.astype(bool)
    spans = model.jnt_range[limited, 1] - model.jnt_range[limited, 0]
    assert spans.min() > 2.5  # a range read as degrees would be 57 times smaller
    assert model.jnt_actfrclimited.all()
    assert model.jnt_actfrcrange[0, 1] == FIRST_TORQUE[arm]
    assert model.jnt_actfrcrange[-1, 1] == LAST_TORQUE[arm]
    assert (model.body_mass[1:-1] > 0.1)[1:].all()


@pytest.mark.parametrize("arm", ARMS)
def test_a_stiffer_robot_with_payload_differs_as_its_workshop_says(arm: str) -> None:
    plain = build_model(TASK, Workshop(name="plain", task="weld-seam", embodiment=arm))
    other = build_model(TASK, Workshop(name="other", task="weld-seam", embodiment=arm, figures=OTHER))
    assert np.allclose(other.actuator_gainprm[:, 0], 1.21 * plain.actuator_gainprm[:, 0])
    assert np.allclose(other.actuator_biasprm[:, 2], 1.1 * plain.actuator_biasprm[:, 2])
    assert np.allclose(other.dof_damping, 2 * plain.dof_damping)
    assert np.allclose(other.dof_frictionloss, 0.4)
    assert other.body_mass.sum() - plain.body_mass.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("arm", ARMS)
def test_the_impedance_control_follows_a_circle(arm: str) -> None:
    cells = make_cells(TASK, Workshop(name="circle", task="weld-seam", embodiment=arm), 1)
    cells.reset(np.array([0]), np.random.default_rng(1))
    start = cells.pose[0].copy()
    errors, angles = [], []
    for step in range(150):
        turn = 0.1 * step * TASK.dt / 0.06  # 0.1 m/s on a radius of 6 cm
        target = np.zeros(6)
        target[:3] = start[:3]
        target[0] += 0.06 * np.sin(turn)
        target[1] += 0.06 * (1 - np.cos(turn))
        cells.move(target[None])
        errors.append(np.linalg.norm(cells.pose[0, :3] - target[:3]))
        angles.append(np.abs(cells.pose[0, 3:]).max())
    assert max(errors) < 0.010
    assert max(angles) < np.radians(2.5)


def test_an_unknown_arm_is_named_with_the_known_ones() -> None:
    with pytest.raises(ContractError, match=r"no robot 'r2d2'.*ur5e"):
        load_embodiment("r2d2")


@pytest.mark.parametrize("name", ["../arms/ur5e", "/etc/passwd", ""])
def test_an_arm_is_never_looked_for_outside_its_folder(name: str) -> None:
    with pytest.raises(ContractError, match="no robot"):
        load_embodiment(name)
