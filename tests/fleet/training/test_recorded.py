"""A robot learns from episodes that were recorded, whatever its network; nothing is stepped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fleet.episodes import Episodes, Recorded
from fleet.networks.registry import torch_network
from fleet.training.imitation import ImitationTrainer
from fleet.training.recorded import RecordedSampler
from fleet.training.report import TrainingReport
from skills.messages.training import Imitation
from skills.networks.base import Network
from tests.fleet.toys import HORIZON, KnownPoints, Point, PointCopies
from tests.fleet.training.test_imitation import NETWORKS, PLAIN, points, straight


def recorded(jobs: int) -> Episodes:
    env = Recorded(Point(0), "point")
    for job in range(jobs):
        seen, _ = env.reset(seed=job)
        over = False
        while not over:
            seen, _, terminated, truncated, _ = env.step(straight(seen[None])[0])
            over = terminated or truncated
    return env.episodes


EPISODES = recorded(30)


class Untouched(PointCopies):
    def step(self, actions: Any) -> Any:  # noqa: ARG002 - Gymnasium's signature
        raise AssertionError("stepped")


def student(network: Network, settings: Imitation, **options: Any) -> ImitationTrainer:
    make = options.pop("make", lambda seed: Untouched(8, seed))
    trainer = ImitationTrainer(make, network, settings, teacher=EPISODES, seed=1, **options)
    trainer.take(network.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0))
    return trainer


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.in_words())
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_a_student_comes_to_do_what_was_recorded(network: Network, beta: float) -> None:
    reports: list[TrainingReport] = []
    trainer = student(network, Imitation(batch=300, minibatch=150, beta=beta))
    trainer.train(6, 5e-3, on_iteration=reports.append)
    errors = [report.learning["action_error"] for report in reports]
    assert errors[-1] < errors[0] / 3
    assert 300 <= reports[0].steps < 300 + HORIZON


def test_equal_seeds_draw_equal_lessons_and_each_episode_once() -> None:
    def rollouts(seed: int) -> list[Any]:
        found = RecordedSampler(points(0), torch_network(PLAIN), seed, EPISODES)
        return [found.collect(200) for _ in range(2)]

    first, again, other = rollouts(3), rollouts(3), rollouts(4)
    for one, two in zip(first, again, strict=True):
        assert np.array_equal(one.observations, two.observations)
    assert not np.array_equal(first[0].observations, other[0].observations)
    whole = RecordedSampler(points(0), torch_network(PLAIN), 0, EPISODES)
    assert whole.collect(10_000).real.sum() == EPISODES.steps
    assert sorted(whole.returns) == sorted(float(each.rewards.sum()) for each in EPISODES.episodes)


def test_a_recording_knows_nothing_that_only_a_twin_does_and_needs_none() -> None:
    trainer = student(
        PLAIN,
        Imitation(batch=300, minibatch=150, beta=1.0),
        shares_critic=False,
        make=lambda seed: KnownPoints(8, seed),
    )
    assert trainer.train(1, 1e-3).steps >= 300


def test_after_a_restart_it_goes_on_and_leaving_changes_nothing() -> None:
    settings = Imitation(batch=300, minibatch=150)
    trainer = student(PLAIN, settings)
    trainer.train(1, 1e-3)
    trainer.leave()
    kept, shared = trainer.private(), trainer.shared()
    again = student(PLAIN, settings)
    again.restore(kept)
    again.take(shared)
    assert again.train(1, 1e-3).steps >= 300
