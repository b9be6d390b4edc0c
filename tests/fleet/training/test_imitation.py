"""What a robot learns from a teacher, and whom it lets act."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fleet.networks.registry import torch_network
from fleet.training.imitation import ImitationTrainer
from fleet.training.lessons import LessonSampler
from fleet.training.report import TrainingReport
from skills.errors import ContractError
from skills.messages.training import Imitation
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer
from skills.player import Player
from skills.policy import Policy
from tests.fleet.networks.test_twins import skill_of
from tests.fleet.toys import ACTION, HORIZON, OBSERVATION, PointCopies

Array = NDArray[Any]
PLAIN = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
NETWORKS: list[Network] = [
    PLAIN,
    Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16), history=3),
    Gru(inputs=OBSERVATION, outputs=ACTION, memory=16, hidden=16),
    Transformer(inputs=OBSERVATION, outputs=ACTION, width=16, layers=1, heads=2, hidden=16, history=4),
]


def straight(observation: Array) -> Array:
    action: Array = np.clip(-3 * observation[:, :2], -1, 1)
    return action


class Straight:
    """Goes to the origin."""

    def begin(self) -> Straight:
        return self

    def act(self, observation: Array) -> Array:
        return straight(observation)


class Counting:
    """Answers with how many steps of the job it has seen before, in hundredths."""

    def __init__(self) -> None:
        self.steps = 0

    def begin(self) -> Counting:
        return Counting()

    def act(self, observation: Array) -> Array:
        self.steps += 1
        return np.full((len(observation), ACTION), (self.steps - 1) / 100, np.float32)


class Moody:
    """Does two jobs well and one badly, in turn."""

    jobs = 0

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign

    def begin(self) -> Moody:
        self.jobs += 1
        return Moody(1.0 if self.jobs % 3 else -1.0)

    def act(self, observation: Array) -> Array:
        return self.sign * straight(observation)


def points(seed: int) -> PointCopies:
    return PointCopies(8, seed)


def apprentice(network: Network, settings: Imitation, teacher: Player) -> ImitationTrainer:
    trainer = ImitationTrainer(points, network, settings, teacher=teacher, seed=1)
    trainer.take(network.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0))
    return trainer


def sampler(teacher: Player, share: float, noise: float = 0.0) -> LessonSampler:
    torch.manual_seed(0)
    found = LessonSampler(points(3), torch_network(PLAIN), 3, teacher, noise)
    found.share = share
    return found


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.in_words())
@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_an_apprentice_comes_to_do_what_its_teacher_does(network: Network, beta: float) -> None:
    reports: list[TrainingReport] = []
    trainer = apprentice(network, Imitation(batch=800, minibatch=400, beta=beta, fade=2), Straight())
    trainer.train(5, 5e-3, on_iteration=reports.append)
    errors = [report.learning["action_error"] for report in reports]
    assert errors[-1] < errors[0] / 3
    if not beta:  # it acts itself now, nearly as well as its teacher did
        assert reports[-1].mean_return is not None
        assert reports[-1].mean_return > -1.5


def test_what_turned_out_badly_counts_less() -> None:
    """Of a teacher that errs in every third job, MARWIL learns better than behaviour cloning of its mean."""
    wrong = []
    for beta in (0.0, 1.0):
        teacher = Moody()
        settings = Imitation(batch=800, minibatch=400, beta=beta, fade=100, keep=20)
        trainer = apprentice(PLAIN, settings, teacher)
        trainer.train(10, 5e-3)
        seen = torch.from_numpy(points(5).reset(seed=5)[0])
        with torch.no_grad():
            found = trainer._net.means(seen, torch.zeros(8, 0)).numpy()
        wrong.append(np.abs(found - Straight().act(seen.numpy())).mean())
    assert wrong[1] < 0.8 * wrong[0]


def test_a_teachers_memory_runs_along_with_each_job() -> None:
    sampled = sampler(Counting(), share=0.5)
    for _ in range(2):  # the second goes on where the first ended
        found = sampled.collect(8 * 30)
        count = found.observations[:-1, :, -1]
        assert np.allclose(sampled.labels[found.real][:, 0], count[found.real] / 100)


def test_the_teachers_share_is_one_of_jobs_not_of_steps() -> None:
    found = sampler(Counting(), share=0.5).collect(8 * 100)
    count = found.observations[:-1, :, -1]
    taught: Array = np.isclose(found.actions[..., 0], count / 100) & found.real
    assert 0.3 < taught.sum() / found.real.sum() < 0.7
    goes_on = found.real[1:] & found.real[:-1] & ~found.done[:-1]
    assert (taught[1:] == taught[:-1])[
        goes_on
    ].mean() > 0.98  # where the robot does not by chance do the same


@pytest.mark.parametrize(("share", "same"), [(0.0, 0), (1.0, 1)])
def test_nobody_or_everybody_is_taught_at_the_ends(share: float, same: int) -> None:
    sampled = sampler(Straight(), share)
    found = sampled.collect(8 * 30)
    alike = np.isclose(found.actions[found.real], sampled.labels[found.real]).all(axis=-1)
    assert np.mean(alike) == pytest.approx(same, abs=0.02)


def test_the_teachers_share_falls_to_nothing() -> None:
    settings = Imitation(fade=4)
    assert [settings.teachers_share(lessons) for lessons in range(6)] == [1.0, 0.75, 0.5, 0.25, 0.0, 0.0]
    assert Imitation(fade=0).teachers_share(0) == 0
    assert Imitation(beta=0.5).teachers_share(99) == 1


def test_a_job_that_goes_on_in_the_next_lesson_is_one_sequence() -> None:
    trainer = apprentice(NETWORKS[-1], Imitation(batch=8 * 30, keep=2, steps=1), Straight())
    trainer.train(2, 1e-3)
    batch = trainer._batch()
    first = batch["obs"][:, 0, -1]
    assert (first == 0).sum() > 8
    assert (first == 0).all()
    trainer.train(1, 1e-3)
    assert len(trainer._kept) == 2


def test_jobs_that_were_left_do_not_go_on() -> None:
    trainer = apprentice(NETWORKS[-1], Imitation(batch=8 * 5, keep=3, steps=1), Straight())
    for _ in range(3):
        trainer.train(1, 1e-3)
        trainer.leave()
    batch = trainer._batch()
    assert batch["mask"].sum(1).tolist() == [5.0] * 24
    assert torch.allclose(batch["actions"], torch.clamp(-3 * batch["obs"][..., :2], -1, 1))


def test_the_spread_of_the_exploration_is_left_as_it_is() -> None:
    trainer = apprentice(PLAIN, Imitation(batch=100), Straight())
    trainer.train(2, 1e-2)
    assert (trainer.shared()["log_std"] == np.float32(-0.7)).all()


def test_what_it_knows_of_its_lessons_goes_on() -> None:
    settings = Imitation(batch=100, beta=0.5)
    first, second = (apprentice(PLAIN, settings, Straight()) for _ in range(2))
    first.train(3, 1e-3)
    second.restore(first.private())
    assert second._lessons == 3
    assert second.private()["mean-square-advantage"] == first.private()["mean-square-advantage"] != 100


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.in_words())
def test_a_skill_may_teach_and_remembers_in_each_job_what_it_saw(network: Network) -> None:
    master = Policy(skill_of(network, seed=0, scale=1.0))
    sampled = sampler(master, share=0.5, noise=0.1)
    found, told = sampled.collect(8 * 15), sampled.labels
    alone = master.begin()  # no first job of the toy ends before, but every third half-way
    for step in range(HORIZON // 2):
        assert np.allclose(told[step], alone.act(found.observations[step]), atol=1e-5)
    again = master.begin()
    env = int(np.flatnonzero(found.done[HORIZON // 2 - 1])[0])
    first = HORIZON // 2 + 1
    for step in range(first, 15):
        assert np.allclose(told[step, env], again.act(found.observations[step, env]), atol=1e-5)


@pytest.mark.parametrize("bad", [np.full((1, ACTION), np.nan), np.zeros((1, ACTION + 1))])
def test_a_teacher_that_does_not_fit_is_refused(bad: Array) -> None:
    class Strange(Straight):
        def begin(self) -> Strange:
            return self

        def act(self, observation: Array) -> Array:
            return np.repeat(bad, len(observation), axis=0)

    with pytest.raises(ContractError, match="the teacher answered"):
        apprentice(PLAIN, Imitation(batch=100), Strange()).train(1, 1e-3)
