"""What a job tells of an arm: what was put into the machine comes out, on whichever joint it is."""

from __future__ import annotations

import numpy as np
import pytest

from envs.embodiment import load_embodiment
from envs.nominal import NominalArm
from envs.scripted import proof
from envs.single import TaskEnv
from envs.task import load_task
from envs.workshop import data_sheet
from fleet.cell.machine import NEW, MachineEnv, Wear
from fleet.health.figures import Trace, figure_names, figures_of
from fleet.runtime.robot import Joints
from skills.errors import ContractError

TASK = load_task("weld-seam")
ARM = NominalArm(TASK, "ur5e")
NAMES = figure_names(ARM.joints)


def traced(wear: Wear = NEW, payload: float = 0.0, seed: int = 0) -> Trace:
    shop = data_sheet(TASK.file, "ur5e").model_copy(update={"figures": {"payload": payload, "delay": 0}})
    env = MachineEnv(TaskEnv(TASK, workshop=shop), np.random.default_rng(seed))
    env.machine.wear = wear
    player, trace = proof(TASK), Trace()
    assert player is not None
    player = player.begin()
    seen, _ = env.reset(seed=seed)
    for step in range(TASK.horizon):
        sensed = env.joints()
        assert sensed is not None
        trace.joints.append(Joints(*sensed))
        trace.times.append(step * TASK.dt)
        action = player.act(seen[None])[0]
        seen, *_ = env.step(action)
        trace.sent.append(np.asarray(action, np.float64))
    return trace


def found(wear: Wear = NEW, payload: float = 0.0) -> dict[str, float]:
    rows = [figures_of(traced(wear, payload, seed), ARM) for seed in range(3)]
    means = np.mean([row for row in rows if row is not None], axis=0)
    return dict(zip(NAMES, means.tolist(), strict=True))


def test_a_new_machine_as_its_data_sheet_says_differs_in_nothing() -> None:
    figures = found()
    assert max(abs(figures[name]) for name in NAMES if name.startswith("friction")) < 0.1
    assert figures["payload"] == pytest.approx(0.0, abs=0.5)


def test_friction_in_one_joint_is_found_there_and_payload_as_payload() -> None:
    new, worn = found(), found(Wear(friction=0.5, joint=2), payload=1.0)
    changed = {name: worn[name] - new[name] for name in NAMES}
    assert changed["friction-3"] == pytest.approx(0.5, abs=0.1)
    others = [changed[f"friction-{joint}"] for joint in (1, 2, 4, 5, 6)]
    assert np.abs(others).max() < 0.15
    assert changed["payload"] == pytest.approx(1.0, abs=0.5)


def test_commands_that_come_later_are_a_longer_lag() -> None:
    assert found(Wear(delay=2))["lag"] - found()["lag"] > 0.4


def test_a_job_that_was_short_or_had_many_periods_left_out_says_nothing() -> None:
    whole = traced()
    assert figures_of(Trace(whole.times[:30], whole.joints[:30], whole.sent[:29]), ARM) is None
    slow = [3.0 * time for time in whole.times]
    assert figures_of(Trace(slow, whole.joints, whole.sent), ARM) is None
    assert figures_of(Trace(), ARM) is None


def test_sensing_joints_changes_no_bit_of_what_happens() -> None:
    plain, sensed = TaskEnv(TASK, "ur5e"), TaskEnv(TASK, "ur5e")
    assert sensed.joints() is not None
    plain.reset(seed=3)
    sensed.reset(seed=3)
    for _ in range(5):
        action = np.full(TASK.contract.action_size, 0.3, np.float32)
        np.testing.assert_array_equal(plain.step(action)[0], sensed.step(action)[0])


def test_a_robot_without_joints_has_no_such_figures() -> None:
    hovering = load_task("hover-inspect")
    drone = hovering.file.embodiments[0]
    assert load_embodiment(drone).drive == "flight"
    with pytest.raises(ContractError):
        NominalArm(hovering, drone)
    assert TaskEnv(hovering).joints() is None
