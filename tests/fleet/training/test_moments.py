"""Moments that the guild holds: steps with them, what is sent for them, and what becomes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fleet.training.moments import HeldMoments, next_moments
from fleet.training.ppo import PpoTrainer
from skills.container import Tensors
from skills.messages.training import Ppo
from skills.networks.mlp import Mlp
from skills.parts import CARRIED, carried_shapes, policy_of
from tests.fleet.toys import ACTION, OBSERVATION, PointCopies

NETWORK = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
BASE = NETWORK.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0)
SETTINGS = Ppo(batch=200, minibatch=50, epochs=2)


def numbers(*values: float) -> Tensors:
    return {"w": np.array(values, np.float32)}


def test_a_step_is_the_formula() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 1.0]))
    held = HeldMoments({"w": weight}, numbers(0.5, 0.0), numbers(0.2, 0.0))
    for _ in range(2):
        weight.grad = torch.tensor([1.0, 0.0])
        held.step(0.1)
        assert weight.grad is None
    first = 0.9 * 0.5 + 0.1
    second = 0.9 * first + 0.1
    assert weight.tolist() == pytest.approx([1 - 0.1 * (first + second) / (0.2 + 1e-5), 1.0])


def test_a_root_below_zero_is_none() -> None:
    weight = nn.Parameter(torch.zeros(1))
    weight.grad = torch.full((1,), 1e-5)
    HeldMoments({"w": weight}, numbers(0.0), numbers(-2e-5)).step(0.1)
    assert weight.item() == pytest.approx(-0.01)


def test_the_mean_of_what_robots_send_is_the_guilds_next() -> None:
    variates = [numbers(1.0, -1.0), numbers(3.0, 1.0)]
    first, root = numbers(0.5, 0.5), numbers(1.0, 1.0)
    sent = [next_moments(each, first, root, steps=2) for each in variates]
    ahead, spread = (np.mean([each[part]["w"] for each in sent], axis=0) for part in (0, 1))
    assert ahead == pytest.approx([0.81 * 0.5 + 0.19 * 2.0, 0.81 * 0.5])
    assert spread == pytest.approx([(1 + 1.08**0.5) / 2, 1.0])


def test_the_first_roots_are_the_variates_lengths() -> None:
    ahead, spread = next_moments(numbers(-2.0), {}, {}, steps=1)
    assert spread["w"].tolist() == [2.0]
    assert ahead["w"].tolist() == pytest.approx([-0.2])


def test_the_smallest_roots_do_not_vanish() -> None:
    _, spread = next_moments(numbers(1e-30), {}, numbers(1e-30), steps=1)
    assert spread["w"] == pytest.approx(1e-30)


def trainer(**options: Any) -> PpoTrainer:
    return PpoTrainer(lambda seed: PointCopies(8, seed), NETWORK, SETTINGS, seed=1, **options)


def test_all_that_is_carried_is_sent_and_the_next_round_moves_with_it() -> None:
    robot = trainer(variates=True, moments=True)
    robot.take(BASE)
    robot.train(1, 1e-3)
    sent = robot.shared()
    carried = carried_shapes(NETWORK.shapes(), CARRIED)
    assert {name: sent[name].shape for name in carried} == carried
    assert sent.keys() == BASE.keys() | carried.keys()

    def moved(root: float) -> float:
        with_scale = {n: np.full_like(t, root) for n, t in sent.items() if n.startswith("training.second.")}
        robot = trainer(variates=True, moments=True)
        robot.take(sent | with_scale)
        robot.train(1, 1e-5)  # so short that gradients stay the same
        after = robot.shared()
        return float(np.mean([np.abs(after[n] - sent[n]).mean() for n in policy_of(BASE) if n != "log_std"]))

    assert moved(1e-2) == pytest.approx(10 * moved(1e-1), rel=0.2)


def test_what_is_not_corrected_is_still_adams() -> None:
    robot = trainer(variates=True, moments=True)
    robot.take(BASE)
    robot.train(1, 1e-3)
    before = robot.shared()
    robot.take(before)
    robot.train(1, 1e-3)
    after = robot.shared()
    critic = [name for name in BASE if name.startswith("critic.")]
    assert all((after[name] != before[name]).any() for name in [*critic, "log_std"])
    weights = robot._learner.net.by_name()
    adams = {id(each) for optimizer in robot._learner.optimizers for each in optimizer.state}
    assert adams == {id(weights[name]) for name in [*critic, "log_std"]}
