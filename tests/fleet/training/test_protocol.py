"""What holds for every algorithm: one suite, run with each."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fleet.training.choose import make_trainer
from fleet.training.report import TrainingReport
from fleet.training.trainer import Trainer
from skills.container import Tensors, digest_of
from skills.delta import norm, subtract
from skills.errors import ArtefactError, ContractError
from skills.messages.training import Algorithm, Imitation, Ppo, Sac
from skills.networks.mlp import Mlp
from skills.parts import CARRIED, carried_shapes, is_training, network_of
from tests.fleet.toys import ACTION, OBSERVATION, Point, PointCopies

NETWORK = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
BASE = NETWORK.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0)
ALGORITHMS: dict[str, Algorithm] = {
    "ppo": Ppo(batch=200, minibatch=50, epochs=4, keep_moments=True),
    "cloning": Imitation(batch=200, minibatch=100, steps=10, keep_moments=True),
    "marwil": Imitation(batch=200, minibatch=100, steps=10, beta=1.0, keep_moments=True),
    "sac": Sac(batch=160, begin=100, updates=15, minibatch=64),
}
LONGER: dict[str, tuple[Algorithm, float]] = {  # enough to learn the toy, and the learning rate
    "ppo": (Ppo(batch=800, minibatch=100), 1e-2),
    "cloning": (Imitation(batch=400, minibatch=200, fade=3), 5e-3),
    "marwil": (Imitation(batch=400, minibatch=200, beta=0.5), 5e-3),
    "sac": (Sac(batch=160, begin=300, updates=60, minibatch=128), 3e-3),
}
every = pytest.mark.parametrize("name", ALGORITHMS)


class Straight:
    """Goes to the origin."""

    def begin(self) -> Straight:
        return self

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        action: NDArray[Any] = np.clip(-3 * observation[:, :2], -1, 1)
        return action


def points(seed: int) -> PointCopies:
    return PointCopies(8, seed)


def make(name: str, make_env: Any = points, *, seed: int = 1, **options: Any) -> Trainer:
    algorithm = options.pop("algorithm", ALGORITHMS[name])
    trainer = make_trainer(make_env, NETWORK, algorithm, seed=seed, teacher=Straight, **options)
    trainer.take(BASE)
    return trainer


def same(left: Tensors, right: Tensors) -> bool:
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)


def copied(tensors: Tensors) -> Tensors:
    return {name: tensor.copy() for name, tensor in tensors.items()}


def digests() -> dict[str, str]:
    """Of all weights after some training, by algorithm."""
    found = {}
    for name in ALGORITHMS:
        trainer = make(name, variates=True)
        trainer.train(2, 1e-3)
        everything = trainer.shared() | trainer.private()
        found[name] = digest_of(b"".join(tensor.tobytes() for tensor in everything.values()))
    return found


def test_the_same_seed_gives_the_same_bits_in_another_process_and_none_loads_a_compiler() -> None:
    program = (
        "import gc, json, sys; from tests.fleet.training.test_protocol import digests; "
        "found = digests(); compiler = 'torch._dynamo' in sys.modules; "
        "print(json.dumps([found, compiler, gc.isenabled(), gc.get_freeze_count() > 0]))"
    )
    other = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert json.loads(other.stdout.splitlines()[-1]) == [digests(), False, True, True]


@every
def test_trainers_in_one_process_do_not_disturb_each_other(name: str) -> None:
    alone = make(name)
    alone.train(2, 1e-3)
    first, second = make(name), make(name, seed=2)
    for trainer in (first, second, first):
        trainer.train(1, 1e-3)
    assert same(alone.shared(), first.shared())
    assert not same(first.shared(), second.shared())


@every
def test_training_leaves_the_process_randomness_alone(name: str) -> None:
    def drawn() -> tuple[float, float]:
        return np.random.random(), torch.rand(1).item()  # noqa: NPY002

    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    expected = drawn()
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    make(name).train(1, 1e-3)
    assert drawn() == expected


@every
def test_it_learns_to_reach_the_origin(name: str) -> None:
    algorithm, rate = LONGER[name]
    trainer = make(name, algorithm=algorithm)
    before = distance(trainer)
    trainer.train(12, rate)
    assert distance(trainer) < before / 2


def distance(trainer: Trainer) -> float:
    """Mean distance from the origin in jobs done with the mean action."""
    actor, env = NETWORK.actor(network_of(trainer.shared())), points(11)
    observation, _ = env.reset(seed=11)
    found = []
    for _ in range(9):  # before the first job ends
        action, _ = actor.mean(observation, np.zeros((8, 0), np.float32))
        observation = env.step(np.clip(action, -1, 1))[0]
        found.append(np.linalg.norm(observation[:, :2], axis=1).mean())
    return float(np.mean(found))


@every
def test_a_single_environment_is_enough(name: str) -> None:
    report = make(name, Point).train(1, 1e-3)
    assert 140 <= report.steps <= 200
    assert report.success_rate is not None


@every
def test_each_iteration_says_how_it_learned(name: str) -> None:
    reports: list[TrainingReport] = []
    make(name).train(2, 1e-3, on_iteration=reports.append)
    assert len(reports) == 2
    assert all(report.learning and np.isfinite(list(report.learning.values())).all() for report in reports)


@every
def test_a_learning_rate_of_zero_changes_nothing(name: str) -> None:
    trainer = make(name)
    trainer.train(1, 0.0)
    assert same(trainer.shared(), BASE)


@every
def test_the_proximal_term_keeps_the_weights_near_the_base(name: str) -> None:
    distances = []
    for proximal in (0.0, 100.0):
        trainer = make(name)
        trainer.train(3, 3e-3, proximal=proximal)
        distances.append(norm(subtract(trainer.shared(), BASE)))
    assert distances[1] < distances[0] / 2


@every
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_that_are_not_finite_stop_training_before_they_do_harm(name: str, number: float) -> None:
    def poisoned(seed: int) -> PointCopies:
        env = points(seed)
        env.poison = number
        return env

    trainer = make(name, poisoned)
    with pytest.raises(ContractError, match="observation"):
        trainer.train(1, 1e-3)
    assert same(trainer.shared(), BASE)


@every
def test_weights_of_another_network_are_refused(name: str) -> None:
    trainer = make(name)
    for strange in ({**BASE, "log_std": np.zeros(3, np.float32)}, {"log_std": BASE["log_std"]}):
        with pytest.raises(ArtefactError):
            trainer.take(strange)
        assert same(trainer.shared(), BASE)


@every
def test_an_environment_that_does_not_fit_is_refused(name: str) -> None:
    with pytest.raises(ContractError, match="observation has shape"):
        make(name, lambda seed: Point(seed, observation=7))


@every
@pytest.mark.parametrize("shares_critic", [True, False])
def test_what_is_private_is_never_shared(name: str, shares_critic: bool) -> None:
    trainer = make(name, shares_critic=shares_critic, variates=True, moments=True)
    trainer.train(2, 1e-3)
    shared, private = trainer.shared(), trainer.private()
    carried = carried_shapes(NETWORK.shapes(), CARRIED)
    policy = {n for n in BASE if not is_training(n)}
    assert shared.keys() == (BASE.keys() if shares_critic else policy) | carried.keys()
    assert private
    assert not private.keys() & shared.keys()
    sent = {tensor.tobytes() for tensor in shared.values()}
    for own, tensor in private.items():  # nor under another name; c_i is sent as what it is
        assert own.startswith("own-variate.") or tensor.size < 4 or tensor.tobytes() not in sent, own


@every
def test_jobs_that_are_left_are_given_up(name: str) -> None:
    envs: list[PointCopies] = []

    def make_env(seed: int) -> PointCopies:
        envs.append(points(seed))
        return envs[-1]

    trainer: Any = make(name, make_env)
    trainer.train(1, 1e-3)
    envs[0].state[:, :3] = np.nan  # whatever else the environments were used for
    trainer.leave()
    report = trainer.train(1, 1e-3)
    assert report.steps > 100


@every
def test_what_was_kept_goes_on_in_a_new_trainer(name: str) -> None:
    first = make(name, shares_critic=False, variates=True)
    first.train(2, 1e-3)
    kept, sent = copied(first.private()), first.shared()
    second = make(name, seed=9, shares_critic=False, variates=True)
    second.restore(copied(kept))
    second.take({**BASE, **sent})
    found = second.private()
    assert all(own.startswith("own-variate-with.") for own in found.keys() - kept.keys())
    for own, tensor in kept.items():
        assert np.array_equal(tensor, found[own]), own


@every
def test_a_round_after_one_that_was_refused_begins_as_that_one_did(name: str) -> None:
    """c is as it was: with c_i of the refused round, whose mean is another, all robots would drift alike."""

    def shift(trainer: Any) -> list[Any]:
        return [each.numpy().copy() for each in trainer._learner.correction._shift]

    trainer = make(name, variates=True)
    trainer.train(1, 1e-3)
    base = {n: t + np.float32(0.01) * n.startswith("training.variate.") for n, t in trainer.shared().items()}
    trainer.take(base)
    first = shift(trainer)
    assert any(each.any() for each in first)
    trainer.train(1, 1e-3)
    ahead = trainer.shared()
    trainer.take(ahead)  # the next round may have begun before the refusal
    trainer.train(1, 1e-3)
    again = make(name, variates=True)
    again.restore(copied(trainer.private()))
    for each in (trainer, again):
        each.take(base)
        assert all(map(np.array_equal, shift(each), first))


@every
def test_keeping_and_restoring_is_as_if_nothing_had_been(name: str) -> None:
    unbroken, broken = make(name, variates=True), make(name, variates=True)
    for trainer in (unbroken, broken):
        trainer.train(1, 1e-3)
    kept, sent = copied(broken.private()), copied(broken.shared())
    broken.restore(kept)
    for trainer in (unbroken, broken):
        trainer.take(sent)
        trainer.train(1, 1e-3)
    assert same(unbroken.shared(), broken.shared())
    assert same(unbroken.private(), broken.private())


@every
def test_what_was_kept_of_another_network_is_left_aside(name: str) -> None:
    trainer = make(name, variates=True)
    trainer.train(1, 1e-3)
    trainer.restore({own: np.zeros(7, np.float32) for own in trainer.private()})
    trainer.take(BASE)
    trainer.train(1, 1e-3)


@every
def test_control_variates_are_a_mean_of_clipped_gradients(name: str) -> None:
    trainer = make(name, variates=True)
    trainer.train(1, 1e-3)
    sent = trainer.shared()
    variate = {n: tensor for n, tensor in sent.items() if n.startswith("training.variate.")}
    assert (variate.pop("training.variate.log_std") == 0).all()
    assert 0 < norm(variate) <= ALGORITHMS[name].gradient_norm + 1e-6


@every
def test_a_round_without_a_step_changes_no_variate(name: str) -> None:
    trainer = make(name, variates=True)
    trainer.take(trainer.shared())
    assert not any(own.startswith("own-variate.") for own in trainer.private())  # not one of zeros
    trainer.train(1, 1e-3)
    before = trainer.shared()
    for _ in range(2):
        trainer.take(before)
        assert same(trainer.shared(), before)


@every
def test_what_rllib_notes_of_each_step_does_not_pile_up(name: str) -> None:
    trainer: Any = make(name)
    trainer.train(2, 1e-3)

    def longest(notes: Any) -> int:
        if isinstance(notes, dict):
            return max(map(longest, notes.values()), default=0)
        return len(getattr(notes, "values", None) or ())

    assert longest(trainer._learner.metrics.stats) <= 1


def test_there_is_nobody_to_imitate() -> None:
    with pytest.raises(ContractError, match="no master yet"):
        make_trainer(points, NETWORK, Imitation(), seed=0)
