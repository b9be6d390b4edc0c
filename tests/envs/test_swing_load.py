"""The hanging load: it swings as its job's cable says, and who is told cable and delay masters all jobs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.evaluate import evaluate_many, pool
from envs.scripted import Scripted, controller, controllers, proof
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet, fresh_workshop

TASK = load_task("swing-load")


def workshop(arm: str, **figures: Any) -> Workshop:
    return data_sheet(TASK.file, arm).model_copy(update={"figures": figures})


def oracle() -> Scripted:
    found = proof(TASK)
    assert found is not None
    assert found.told
    return found


@pytest.mark.parametrize("length", [0.2, 0.45, 0.8])
def test_the_load_swings_at_the_pace_of_its_jobs_cable(length: float) -> None:
    shop = workshop("iiwa", length=(length, length), drag=0.002, impedance=1.8, swing_y=(0.03, 0.04))
    env = TaskVectorEnv(TASK, shop, 4, seed=0)
    env.reset()
    swing = []
    for _ in range(TASK.horizon - 1):
        env.step(np.zeros((4, 2), np.float32))
        swing.append(np.linalg.norm(env.quantities.view("swing")[:, :2], axis=1))
    # The swing is greatest twice a period: the beat of its size gives the period.
    sizes = np.array(swing) - np.mean(swing, axis=0)
    power = np.abs(np.fft.rfft(sizes * np.hanning(len(sizes))[:, None], 4096, axis=0)).mean(axis=1)
    found = 2 / (np.fft.rfftfreq(4096, TASK.dt)[20 + int(np.argmax(power[20:]))])
    assert found == pytest.approx(2 * np.pi * np.sqrt(length / 9.81), rel=0.08)


def test_the_load_begins_as_its_job_says_and_the_arms_own_friction_is_not_its() -> None:
    env = TaskVectorEnv(TASK, workshop("panda", friction=0.5, damping=0.5, drag=0.004), 8, seed=0)
    env.reset()
    model, figures = env.cells.model, env._figures
    for axis in "xy":
        joint = model.joint(f"arm/tool/sway_{axis}")
        assert np.array_equal(env.cells.positions[:, joint.qposadr[0]], figures.of(f"swing_{axis}")[:, 0])
        assert joint.damping == 0.004
        assert joint.frictionloss == 0.0
    speed = np.sqrt((env.cells.joint_velocities() ** 2).sum(axis=1))
    assert env.cells.joint_velocities().shape == (8, 7)
    assert np.all(speed < 1e-6)


def test_what_decides_differs_between_workshops_and_is_observed_nowhere() -> None:
    shops = [fresh_workshop(TASK.file, "ur5e", seed) for seed in range(24)]
    lengths = np.array([shop.figures["length"] for shop in shops], dtype=float)
    assert np.allclose(np.diff(lengths), 0.198)
    assert lengths[:, 1].min() < lengths[:, 0].max()  # some share no length at all
    assert {shop.figures["delay"] for shop in shops} == {(0, 1), (1, 2), (2, 3)}
    known = {each.name for each in TASK.twin}
    assert {"length", "delay", "load_astray", "load_velocity"} <= known
    assert not known & {each.name for each in TASK.contract.observation}


@pytest.mark.parametrize("arm", TASK.file.embodiments)
def test_the_oracle_masters_each_corner_of_the_ranges_on_every_arm(arm: str) -> None:
    shops = [
        workshop(arm, length=(length, length), delay=(delay,))
        for length in (0.2, 0.5, 0.8)
        for delay in (0, 3)
    ]
    scores = evaluate_many(oracle(), TASK, shops, 16, seed=1)
    assert min(each.score for each in scores) >= 0.8
    assert pool(scores).score >= 0.9


def test_one_set_of_gains_is_not_enough_but_who_remembers_need_not_be_told() -> None:
    arms = TASK.file.embodiments
    shops = [fresh_workshop(TASK.file, arm, seed, held_out=True) for seed, arm in enumerate(arms)]
    fixed = pool(evaluate_many(controller("feedback", TASK), TASK, shops, 32, seed=2))
    told = pool(evaluate_many(oracle(), TASK, shops, 32, seed=2))
    adapted = pool(evaluate_many(controller("adaptive", TASK), TASK, shops, 32, seed=2))
    assert fixed.high < 0.75
    assert told.low > 0.9
    assert adapted.low > 0.9
    kinds = {name: each.kind for name, each in controllers(TASK).items()}
    assert kinds == {"feedback": "fixed", "adaptive": "adaptive", "oracle": "told"}
