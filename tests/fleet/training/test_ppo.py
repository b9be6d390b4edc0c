from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from fleet.training.ppo import PpoTrainer
from fleet.training.report import TrainingReport
from skills.container import Tensors
from skills.delta import norm, subtract
from skills.errors import ContractError
from skills.messages.training import Ppo
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer
from tests.fleet.toys import ACTION, OBSERVATION, KnownPoints, PointCopies

NETWORK = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
SMALL = Ppo(batch=200, minibatch=50, epochs=4)
BASE = NETWORK.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0)


def points(seed: int) -> PointCopies:
    return PointCopies(8, seed)


def make_trainer(make_env: Any = points, settings: Ppo = SMALL, seed: int = 1) -> PpoTrainer:
    trainer = PpoTrainer(make_env, NETWORK, settings, seed=seed)
    trainer.take(BASE)
    return trainer


def same(left: Tensors, right: Tensors) -> bool:
    return all(np.array_equal(left[name], right[name]) for name in left)


def test_new_weights_reach_the_sampler_and_forget_adam() -> None:
    warm, cold = make_trainer(), make_trainer()
    warm.train(1, 1e-3)
    cold.train(1, 0.0)
    warm.take(BASE)
    cold.take(BASE)
    assert same(warm.shared(), BASE)
    warm.train(1, 1e-3)
    cold.train(1, 1e-3)
    # Their environments moved apart, so only the sizes of the first steps can be compared.
    sizes = [norm(subtract(trainer.shared(), BASE)) for trainer in (warm, cold)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.3)


def test_each_iteration_is_reported_and_may_stop_the_training() -> None:
    reports: list[TrainingReport] = []
    total = make_trainer().train(3, 1e-3, on_iteration=reports.append)
    assert len(reports) == 3
    assert total.steps == sum(report.steps for report in reports)
    assert total.returns == sum((report.returns for report in reports), ())

    def stop(_: TrainingReport) -> None:
        raise InterruptedError

    trainer = make_trainer()
    with pytest.raises(InterruptedError):
        trainer.train(3, 1e-3, on_iteration=stop)
    once = make_trainer()
    once.train(1, 1e-3)
    assert same(trainer.shared(), once.shared())


def test_figures_are_absent_until_an_episode_ends() -> None:
    report = make_trainer(settings=Ppo(batch=16, minibatch=8)).train(1, 1e-3)
    assert report.mean_return is None
    assert report.success_rate is None


def test_another_kind_of_autoreset_is_refused() -> None:
    with pytest.raises(ContractError, match="autoreset"):
        make_trainer(lambda seed: PointCopies(8, seed, AutoresetMode.SAME_STEP))


REMEMBERING = [
    Gru(inputs=OBSERVATION, outputs=ACTION, memory=16, hidden=16),
    Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16), history=3),
    Transformer(inputs=OBSERVATION, outputs=ACTION, width=16, layers=1, heads=2, hidden=16, history=4),
]


def first_of(network: Network) -> Tensors:
    return network.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0)


@pytest.mark.parametrize("network", REMEMBERING, ids=lambda network: network.kind)
@pytest.mark.parametrize("knowing", [False, True])
def test_networks_with_memory_learn_too(network: Network, knowing: bool) -> None:
    kind = KnownPoints if knowing else PointCopies
    trainer = PpoTrainer(
        lambda seed: kind(8, seed), network, Ppo(batch=800, minibatch=100), seed=1, shares_critic=False
    )
    trainer.take(first_of(network))
    reports: list[TrainingReport] = []
    trainer.train(12, 1e-2, on_iteration=reports.append)
    means = [report.mean_return or 0.0 for report in reports]
    assert max(means[6:]) > means[0] * 0.7  # both are negative


@pytest.mark.parametrize("network", [NETWORK, *REMEMBERING], ids=lambda network: network.in_words())
def test_a_trainer_goes_on_in_another_process_with_what_it_kept(network: Network) -> None:
    settings = Ppo(batch=200, minibatch=50, epochs=2, keep_moments=True)

    def make() -> PpoTrainer:
        return PpoTrainer(points, network, settings, seed=1, shares_critic=False, variates=True)

    first, second = make(), make()
    first.take(first_of(network))
    first.train(1, 1e-3)
    kept, sent = first.private(), first.shared()
    assert not any(name.startswith("critic.") for name in sent)
    second.restore({name: tensor.copy() for name, tensor in kept.items()})
    second.take({**first_of(network), **sent})
    for name, tensor in second.private().items():
        if not name.startswith("own-variate"):
            assert np.array_equal(tensor, kept[name]), name
    other = make()
    other.restore({name: np.zeros(7, np.float32) for name in kept})  # of another network: left aside
    other.take(first_of(network))
    other.train(1, 1e-3)


def test_a_robot_that_is_like_the_guild_is_not_corrected() -> None:
    """c_i = c leaves the gradient as it is; another c moves the weights elsewhere."""

    def trained(shift: float) -> Tensors:
        trainer = PpoTrainer(points, NETWORK, SMALL, seed=1, variates=True)
        trainer.take(BASE)
        trainer.train(1, 1e-3)
        sent = trainer.shared()
        guild = {name: t + np.float32(shift) for name, t in sent.items() if name.startswith("training.")}
        trainer.take({**sent, **guild})
        trainer.train(1, 1e-3)
        return {name: t for name, t in trainer.shared().items() if not name.startswith("training.")}

    plain = PpoTrainer(points, NETWORK, SMALL, seed=1)
    plain.take(BASE)
    plain.train(1, 1e-3)
    plain.take(plain.shared())
    plain.train(1, 1e-3)
    alike, moved = trained(0.0), trained(0.1)
    # The actor is clipped for itself where there are variates, so weights are near, not equal.
    assert norm(subtract(alike, plain.shared())) < 0.2 * norm(subtract(moved, plain.shared()))


def test_a_variate_that_no_gradients_can_make_is_shortened() -> None:
    def trained(length: float) -> Tensors:
        trainer = PpoTrainer(points, NETWORK, SMALL, seed=1, variates=True)
        trainer.take(BASE)
        trainer.train(1, 1e-3)
        sent = trainer.shared()
        zeros = {n: np.zeros_like(t) for n, t in sent.items() if n.startswith("training.")}
        first = "training.variate.actor.0.weight"
        zeros[first][0, 0] = length
        trainer.take({**sent, **zeros})
        trainer.train(1, 1e-3)
        return trainer.shared()

    assert same(trained(1.0), trained(1e4))


def test_each_iteration_says_how_it_learned() -> None:
    report = make_trainer().train(1, 1e-3)
    assert set(report.learning) == {"policy_loss", "value_error", "kl", "entropy"}
    assert all(np.isfinite(value) for value in report.learning.values())
    assert report.learning["kl"] > 0
