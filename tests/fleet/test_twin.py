"""A robot's own environment as its place: it stays open, is left between two steps, and may fail."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from envs.task import load_task
from envs.workshop import fleet_workshops
from fleet.own_robot import Guarded
from fleet.place import RobotError, StoppedError
from fleet.twin import OwnPlace, TwinPlace
from skills.messages.plans import TrainingPlan
from tests.fleet.lying_hub import LyingHub
from tests.fleet.own_robots import Watched, make_blind
from tests.fleet.small_robot import SmallRobot, make_robot
from tests.fleet.test_practice import assignment_for
from zunft.new_skill import new_skill

TASK = load_task("weld-seam")
SKILL = new_skill("weld-seam", seed=0, network={"hidden": (8,)})
ORDER = assignment_for(SKILL, TrainingPlan(iterations=1))
BATCH = 64


def place_of(env: Watched, stopped: Callable[[], bool] = lambda: False) -> OwnPlace:
    return OwnPlace(Guarded(env), TASK, seed=0, episodes=1, batch_steps=BATCH, stopped=stopped)


def test_a_robots_own_environment_stays_open_from_round_to_round() -> None:
    env = Watched()
    place = place_of(env)
    for _ in range(2):
        place.practise(SKILL, ORDER, "robot", {}, lambda _: None)
        gc.collect()  # a trainer that is thrown away must take nothing with it
    place.rehearse(SKILL)
    assert env.closed == 0


def test_a_robot_is_left_between_two_steps_while_it_practises_and_while_it_tries_a_version() -> None:
    env = Watched()
    place = place_of(env, lambda: env.steps >= 10)
    with pytest.raises(StoppedError):
        place.practise(SKILL, ORDER, "robot", {}, lambda _: None)
    assert env.steps == 10
    with pytest.raises(StoppedError):
        place.rehearse(SKILL)
    assert env.steps == 10


def test_a_twin_is_left_between_two_steps() -> None:
    asked = 0

    def stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked % 3 == 0

    home = fleet_workshops(TASK.file)[0]
    twin = TwinPlace(TASK, home, seed=0, episodes=1, stopped=stopped)
    with pytest.raises(StoppedError):
        twin.practise(SKILL, ORDER, "robot", {}, lambda _: None)
    with pytest.raises(StoppedError):
        twin.rehearse(SKILL)
    assert asked == 6


def own_robot(hub: LyingHub, home: Path, env: Watched) -> SmallRobot:
    hub.publish(SKILL)
    return make_robot(home, hub.url, skill="weld-seam", place=place_of(env))


def test_a_controller_that_falls_silent_in_training_is_reported_and_the_round_done_later(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = own_robot(hub, tmp_path, Watched(faults={20}))
    hub.assignment = hub.order(1).model_copy(update={"training": TrainingPlan(iterations=1)})
    assert robot.agent.step() > 0
    assert robot.phases[-1] == "failed"
    assert "OSError: the controller does not answer" in robot.said[-1].text
    assert robot.agent.step() == 0
    assert robot.phases[-1] == "pushed"


def test_a_controller_that_falls_silent_in_a_rehearsal_says_nothing_about_the_version(
    hub: LyingHub, tmp_path: Path
) -> None:
    robot = own_robot(hub, tmp_path, Watched(faults={20}))
    assert robot.agent.step() > 0
    assert robot.phases[-1] == "failed"
    assert robot.bench.memory("weld-seam").refused == {}
    robot.agent.step()
    assert robot.phases[-1] == "adopted"


def test_a_sensor_that_drops_out_is_the_robots_fault_and_not_the_versions() -> None:
    with pytest.raises(RobotError, match="not finite"):
        Guarded(make_blind()).reset()
