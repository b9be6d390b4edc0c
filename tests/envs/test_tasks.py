"""Every task of the package, by the contract checker: solvable on each robot, repeatable, informative."""

from __future__ import annotations

import numpy as np
import pytest

from envs.bundle import bundle_names
from envs.evaluate import evaluate
from envs.examine import Idle, examine
from envs.scripted import proof
from envs.task import load_task
from envs.vector import TaskVectorEnv
from envs.workshop import data_sheet, fleet_workshops, fresh_workshop

EIGHT = {
    "hover-inspect", "insert-peg", "iron-cloth", "place-part", "polish-surface", "push-part", "swing-load",
    "weld-seam",
}  # fmt: skip


def test_the_eight_tasks_are_there() -> None:
    assert set(bundle_names()) >= EIGHT


@pytest.mark.parametrize("name", bundle_names())
def test_a_task_keeps_the_contract_on_every_robot_it_admits(name: str) -> None:
    findings = list(examine(load_task(name)))
    assert [finding for finding in findings if not finding.passed or finding.remedy] == []
    robots = {finding.check for finding in findings if finding.check.startswith("solvable on")}
    assert robots == {f"solvable on {robot}" for robot in load_task(name).file.embodiments}


@pytest.mark.parametrize("name", bundle_names())
def test_the_best_controller_earns_more_than_doing_nothing(name: str) -> None:
    task = load_task(name)
    shop = fresh_workshop(task.file, task.file.embodiments[-1], 1, held_out=True)
    policy = proof(task)
    assert policy is not None
    best = evaluate(policy, task, shop, 16, seed=3)
    idle = evaluate(Idle(task.contract.action_size), task, shop, 16, seed=3)
    assert best.score > 0.6
    assert best.mean_return is not None
    assert idle.mean_return is not None
    assert best.mean_return > idle.mean_return


@pytest.mark.parametrize("name", bundle_names())
def test_a_fleet_has_four_workshops_that_fit_the_task(name: str) -> None:
    task = load_task(name)
    shops = fleet_workshops(task.file)
    assert len({shop.model_dump_json() for shop in shops}) == 4
    for shop in shops:
        assert TaskVectorEnv(task, shop, 1, seed=0).reset()[0].shape == (1, task.contract.observation_size)


def test_the_iron_is_felt_by_the_cloth_and_scorches_it_where_it_stays() -> None:
    task = load_task("iron-cloth")
    env = TaskVectorEnv(task, data_sheet(task.file, "panda"), 2, seed=0)
    env.reset()
    failed, lower = np.zeros(2, np.bool_), np.zeros((2, 3), np.float32)
    for _ in range(task.horizon):
        press = env.quantities.view("press")[:, 0]
        lower[:, 2] = np.clip((press - 9.0) * 0.1, -1, 1)
        # Onto the cloth's middle, and there it stays.
        towards = env.quantities.view("tool.position")[:, :2] - [0.07, 0.0]
        lower[:, :2] = np.clip(-20 * towards, -1, 1)
        _, _, failed, _, _ = env.step(lower)
        if failed.any():
            break
    assert failed.any()
    assert env.quantities.view("sheet.dwell").max() > 2.0
    assert 4 < press.max() < 14


def test_a_part_that_is_let_go_falls_and_stays_gone() -> None:
    task = load_task("place-part")
    env = TaskVectorEnv(task, data_sheet(task.file, "ur5e"), 2, seed=0)
    env.reset()
    let_go = np.zeros((2, 4), np.float32)
    let_go[0, 3] = 1.0
    heights = []
    for step in range(40):
        env.step(let_go if step < 20 else np.zeros((2, 4), np.float32))
        heights.append(env.quantities.view("height")[:, 0].copy())
    assert env.quantities.view("tool.holds")[:, 0].tolist() == [0.0, 1.0]
    assert heights[-1][0] < 0.003
    assert heights[-1][1] > 0.03
    # With the next job it hangs at the cup again.
    env.reset()
    assert env.quantities.view("tool.holds").min() == 1.0
    env.step(np.zeros((2, 4), np.float32))
    assert env.quantities.view("height").min() > 0.03


def test_a_stronger_wind_pushes_a_drone_that_does_nothing_further() -> None:
    task = load_task("hover-inspect")

    def drift(force: float) -> float:
        shop = data_sheet(task.file, "quadrotor").model_copy(
            update={"figures": {"wind": (force, 0.0, force, 0.0), "heading": (0.0, 0.0)}}
        )
        env = TaskVectorEnv(task, shop, 8, seed=1)
        env.reset()
        start = env.quantities.view("tool.position").copy()
        for _ in range(30):
            env.step(np.zeros((8, 3), np.float32))
        return float((env.quantities.view("tool.position") - start)[:, 0].mean())

    calm, breeze, gale = drift(0.0), drift(0.3), drift(0.6)
    assert gale > breeze + 0.02 > calm + 0.04
    assert gale == pytest.approx(0.5 * 0.6 / 1.2 * 0.6**2, rel=0.35)  # half of a t squared
