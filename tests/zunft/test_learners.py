"""Options that say how robots learn and with which network."""

from __future__ import annotations

import pytest

from envs.task import load_task
from fleet.twin import learner_of
from skills.errors import RequestError
from skills.messages.plans import TrainingPlan
from skills.messages.training import Ppo
from zunft.commands.learners import read_learner
from zunft.new_skill import new_skill, read_network

TASK = load_task("weld-seam")


def test_what_is_not_said_is_left_to_the_task() -> None:
    assert read_learner("", None) is None
    assert read_network("", None) is None
    assert learner_of(TrainingPlan(), TASK) == TASK.file.training.learner


def test_knobs_are_numbers_and_switches_of_the_learner() -> None:
    found = read_learner("ppo", ["discount=.98", "epochs=7", "keep_moments=true"])
    assert found == Ppo(discount=0.98, epochs=7, keep_moments=True)


@pytest.mark.parametrize(
    ("name", "knobs", "where"),
    [
        ("", ["discount=.98"], "--knob"),
        ("ppo", ["discount"], "--knob"),
        ("ppo", ["discount=2"], "--knob discount"),
        ("ppo", ["gamma=.9"], "--knob gamma"),
        ("dreamer", [], "--learner"),
    ],
)
def test_what_there_is_not_is_named(name: str, knobs: list[str], where: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_learner(name, knobs)
    assert caught.value.where == where


def test_a_network_is_a_kind_with_sizes() -> None:
    assert read_network("gru", ["memory=16", "hidden=8"]) == {"kind": "gru", "memory": 16, "hidden": 8}
    made = new_skill(TASK, seed=0, network=read_network("mlp", ["hidden=32,16", "history=4"]))
    assert made.manifest.network.in_words() == "37 -> (32, 16) -> 5, tanh, the last 4 observations"


@pytest.mark.parametrize("size", ["hidden=wide", "hidden"])
def test_a_size_that_is_none_is_named(size: str) -> None:
    with pytest.raises(RequestError, match="no size"):
        read_network("mlp", [size])


def test_a_robots_own_batch_goes_before_the_order() -> None:
    plan = TrainingPlan(learner=Ppo(discount=0.98))
    assert learner_of(plan, TASK, batch_steps=128) == Ppo(discount=0.98, batch=128, minibatch=128)
    assert learner_of(plan, TASK) == Ppo(discount=0.98)
