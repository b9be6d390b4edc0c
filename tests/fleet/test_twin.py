"""A robot's own environment as its place: it stays open, is left between two steps, and may fail."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from numpy.typing import NDArray

from envs.evaluate import Evaluation
from envs.task import load_task
from envs.workshop import fleet_workshops
from fleet.own_robot import Guarded
from fleet.place import RobotError, StoppedError
from fleet.twin import OwnPlace, TwinPlace
from skills.messages.plans import TrainingPlan
from skills.messages.training import Ppo
from tests.fleet.lying_hub import LyingHub
from tests.fleet.own_robots import Watched, make_blind, make_good
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
    with pytest.raises(StoppedError):
        twin.tune(SKILL, 1, 1e-4, lambda _: None)
    assert asked == 9


def test_a_round_learns_the_same_whether_or_not_the_robot_tuned_at_home() -> None:
    home = fleet_workshops(TASK.file)[0]

    def delta(tuned: bool) -> dict[str, NDArray[Any]]:
        twin = TwinPlace(TASK, home, seed=0, batch_steps=BATCH)
        if tuned:
            reached = twin.tune(SKILL, 2, 1e-2, lambda _: None)
            assert any((reached[name] != tensor).any() for name, tensor in SKILL.tensors.items())
        return dict(twin.practise(SKILL, ORDER, "robot", {}, lambda _: None).delta.tensors)

    plain, after = delta(False), delta(True)
    for name, tensor in plain.items():
        np.testing.assert_array_equal(tensor, after[name])


def test_an_own_environment_stays_open_when_it_tunes_and_is_left_between_two_steps() -> None:
    env = Watched()
    place = place_of(env, lambda: env.steps >= 100)
    place.tune(SKILL, 1, 1e-4, lambda _: None)
    with pytest.raises(StoppedError):
        place.tune(SKILL, 1, 1e-4, lambda _: None)
    assert (env.steps, env.closed) == (100, 0)


class Seeds(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Notes with which seeds episodes begin."""

    def __init__(self) -> None:
        super().__init__(make_good())
        self.seen: list[int | None] = []

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        self.seen.append(options.get("seed"))
        return self.env.reset(**options)


def test_no_episode_of_one_draw_is_in_another_and_every_skill_meets_the_same() -> None:
    env = Seeds()
    place = OwnPlace(Guarded(env), TASK, seed=0, episodes=1)
    draws = []
    for draw in (0, 1, 0):
        env.seen.clear()
        place.rehearse(SKILL, episodes=2, draw=draw)
        draws.append(set(env.seen))
    assert len(draws[0] | draws[1]) == 4
    assert draws[0] == draws[2]


def test_a_twin_s_draws_are_other_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def noted(_policy: Any, _task: Any, _shop: Any, episodes: int, seed: int) -> Evaluation:
        asked.append((episodes, seed))
        return Evaluation.count(1, episodes)

    monkeypatch.setattr("fleet.twin.evaluate", noted)
    twin = TwinPlace(TASK, fleet_workshops(TASK.file)[0], seed=0, episodes=3)
    for draw in (0, 1):
        twin.rehearse(SKILL, episodes=5, draw=draw)
    twin.rehearse(SKILL)
    assert [episodes for episodes, _ in asked] == [5, 5, 3]
    assert asked[0][1] != asked[1][1]


def test_nothing_of_one_campaign_is_known_in_the_next() -> None:
    learner = Ppo(batch=64, minibatch=32, epochs=1, keep_moments=True)
    order = assignment_for(SKILL, TrainingPlan(iterations=1, learner=learner, share="policy", variates=True))
    home = fleet_workshops(TASK.file)[0]
    before, fresh = (TwinPlace(TASK, home, seed=0) for _ in range(2))
    before.practise(SKILL, order, "robot", {}, lambda _: None)
    another = order.model_copy(update={"campaign_id": "another"})
    found, expected = (
        place.practise(SKILL, another, "robot", {}, lambda _: None) for place in (before, fresh)
    )
    for name, tensor in expected.delta.tensors.items():
        assert np.array_equal(found.delta.tensors[name], tensor), name
    assert found.private.keys() == expected.private.keys()
    assert all(np.array_equal(found.private[name], each) for name, each in expected.private.items())


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


def test_a_new_version_is_not_tried_on_the_robot_itself_and_waits_for_a_person(
    hub: LyingHub, tmp_path: Path
) -> None:
    env = Watched(faults={20})  # it would fail there
    robot = own_robot(hub, tmp_path, env)
    robot.agent.step()
    memory = robot.bench.memory("weld-seam")
    assert (robot.phases[-1], memory.refused, memory.in_use) == ("held back", {}, None)
    assert memory.waiting is not None


def test_a_sensor_that_drops_out_is_the_robots_fault_and_not_the_versions() -> None:
    with pytest.raises(RobotError, match="not finite"):
        Guarded(make_blind()).reset()
