"""The pushed part: it turns about its centre of mass and rubs as its job says; the oracle masters all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from envs.evaluate import evaluate_many, pool
from envs.scripted import controller, proof
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop, data_sheet, fresh_workshop

TASK = load_task("push-part")
STEADY = {"offset": (0.09, 0.0, -0.06, 0.09, 0.0, -0.06), "skew": (0.0, 0.0), "delay": (0,)}


def workshop(arm: str, **figures: Any) -> Workshop:
    return data_sheet(TASK.file, arm).model_copy(update={"figures": figures})


def pushed(shop: Workshop, steps: int) -> TaskVectorEnv:
    """Straight ahead from behind the part's middle."""
    env = TaskVectorEnv(TASK, shop, 2, seed=0)
    env.reset()
    ahead = np.tile(np.array([0.5, 0.0], np.float32), (2, 1))
    for _ in range(steps):
        env.step(ahead)
    return env


def test_a_part_that_is_pushed_beside_its_centre_of_mass_turns_about_it() -> None:
    left, middle, right = (
        pushed(workshop("panda", centre=(aside, aside), **STEADY), 36).quantities.view("yaw")[0, 0]
        for aside in (0.02, 0.0, -0.02)
    )
    assert left > 0.15
    assert right == pytest.approx(-left, abs=0.05)
    assert abs(middle) < 0.05


@pytest.mark.parametrize(("mass", "table"), [(0.3, 0.45), (1.2, 0.45), (1.2, 0.15)])
def test_the_finger_feels_the_parts_weight_times_the_tables_friction(mass: float, table: float) -> None:
    def lead(**figures: Any) -> float:
        env = pushed(workshop("iiwa", centre=(0.0, 0.0), **STEADY, **figures), 32)
        return float(env.quantities.view("tool.lead")[:, 0].mean())

    # What the set-point is ahead beyond what the tool's own motion asks for is the spring's force.
    free = lead(mass=(0.3, 0.3), table=(0.15, 0.15)) - 0.3 * 9.81 * 0.15 / 2000
    force = (lead(mass=(mass, mass), table=(table, table)) - free) * 2000
    assert force == pytest.approx(mass * 9.81 * table, rel=0.15)


def test_what_decides_differs_between_workshops_and_is_observed_nowhere() -> None:
    shops = [fresh_workshop(TASK.file, "ur5e", seed) for seed in range(24)]
    centres = np.array([shop.figures["centre"] for shop in shops], dtype=float)
    assert np.allclose(np.diff(centres), 0.33 * 0.044)
    assert centres[:, 1].min() < 0 < centres[:, 0].max()  # some have it on one side always, some on the other
    assert {shop.figures["delay"] for shop in shops} == {(0, 1), (1, 2)}
    known = {each.name for each in TASK.twin}
    assert {"centre", "mass", "friction", "delay", "yaw_rate"} <= known
    assert not known & {each.name for each in TASK.contract.observation}


@pytest.mark.parametrize("arm", TASK.file.embodiments)
def test_the_oracle_masters_the_corners_of_the_ranges_on_every_arm(arm: str) -> None:
    oracle = proof(TASK)
    assert oracle is not None
    assert oracle.told
    shops = [
        workshop(arm, centre=(centre, centre), mass=(mass, mass), table=(table, table))
        for centre in (-0.022, 0.0, 0.022)
        for mass, table in ((0.3, 0.15), (1.2, 0.45))
    ]
    scores = evaluate_many(oracle, TASK, shops, 16, seed=1)
    assert min(each.score for each in scores) >= 0.7
    assert pool(scores).score >= 0.9


def test_one_set_of_gains_is_not_enough_for_who_is_not_told() -> None:
    arms = TASK.file.embodiments
    shops = [fresh_workshop(TASK.file, arm, seed, held_out=True) for seed, arm in enumerate(arms)]
    oracle = proof(TASK)
    assert oracle is not None
    fixed = pool(evaluate_many(controller("feedback", TASK), TASK, shops, 32, seed=2))
    told = pool(evaluate_many(oracle, TASK, shops, 32, seed=2))
    assert fixed.high < 0.6
    assert told.low > 0.9
