"""What SAC remembers, what its actor is, and that where it is faster than RLlib's it is the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.algorithms.sac.torch.sac_torch_learner import SACTorchLearner
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.utils.torch_utils import update_target_network

from fleet.training.batches import MEMORY
from fleet.training.replay import Replay
from fleet.training.sac import SacTrainer, transitions
from fleet.training.sac_module import NEXT
from fleet.training.sampler import log_probability
from skills.errors import ContractError
from skills.messages.training import Sac
from skills.networks.base import Network
from skills.networks.gru import Gru
from skills.networks.mlp import Mlp
from tests.fleet.toys import ACTION, HORIZON, OBSERVATION, KnownPoints, PointCopies

NETWORK = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
HISTORY = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16), history=3)
SETTINGS = Sac(batch=160, begin=100, updates=10, minibatch=64)


def make(
    network: Network = NETWORK, settings: Sac = SETTINGS, kind: type[PointCopies] = PointCopies
) -> SacTrainer:
    trainer = SacTrainer(lambda seed: kind(8, seed), network, settings, seed=1)
    trainer.take(network.initial(np.random.default_rng(0), log_std=-0.7, first_layer=1.0))
    return trainer


def numbered(first: int, last: int) -> dict[str, Any]:
    rows = np.arange(first, last, dtype=np.float32)
    return {"a": rows, "b": np.stack((rows, -rows), axis=1)}


def test_the_last_steps_are_remembered_and_rows_stay_together() -> None:
    memory = Replay(10)
    for first, last in ((0, 4), (4, 9), (9, 13)):
        memory.add(numbered(first, last))
        assert len(memory) == min(last, 10)
        found = memory.draw(500)
        assert set(found["a"].tolist()) == set(range(max(0, last - 10), last))
        assert torch.equal(found["b"], torch.stack((found["a"], -found["a"]), dim=1))


def test_more_at_once_than_is_remembered_leaves_the_last() -> None:
    memory = Replay(10)
    memory.add(numbered(0, 3))
    memory.add(numbered(3, 30))
    memory.add(numbered(30, 32))
    assert len(memory) == 10
    assert set(memory.draw(500)["a"].tolist()) == set(range(22, 32))


@pytest.mark.parametrize("network", [NETWORK, HISTORY], ids=lambda network: network.in_words())
def test_each_step_comes_with_what_followed_it(network: Network) -> None:
    rollout = make(network)._sampler.collect(8 * 50)
    found = transitions(rollout)
    before, after = found["obs"], found[NEXT + "obs"]
    assert len(before) == rollout.real.sum()
    np.testing.assert_allclose(after[:, :2], before[:, :2] + 0.2 * found["actions"], atol=1e-6)
    assert (after[:, -1] == before[:, -1] + 1).all()  # no step leads from one job to the next
    assert found["rewards"].max() < 0
    assert (found["terminateds"] == ((after[:, -2] % 3 == 2) & (after[:, -1] == HORIZON // 2))).all()
    seen = np.concatenate((found[MEMORY], before), axis=1)
    kept = found[NEXT + MEMORY].shape[1]
    assert np.array_equal(found[NEXT + MEMORY], seen[:, seen.shape[1] - kept :])


def test_a_network_that_learns_from_sequences_is_refused() -> None:
    with pytest.raises(ContractError, match="from sequences"):
        make(Gru(inputs=OBSERVATION, outputs=ACTION, memory=4, hidden=4))


def test_a_memory_too_small_to_begin_with_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing would ever be learned"):
        Sac(buffer=100, begin=200)


def test_nothing_is_learned_before_there_is_enough_to_learn_from() -> None:
    trainer = make(settings=Sac(batch=160, begin=200, updates=3, minibatch=64))
    before = trainer.shared()
    trainer.train(1, 1e-2)
    assert all(np.array_equal(trainer.shared()[name], before[name]) for name in before)
    trainer.train(1, 1e-2)
    assert any((trainer.shared()[name] != before[name]).any() for name in before)


def test_critics_of_a_twin_see_what_it_knows() -> None:
    trainer = make(kind=KnownPoints)
    assert trainer._module.critics[0][0].in_features == OBSERVATION + 2 + ACTION
    assert np.isfinite(trainer.train(2, 1e-3).learning["value"])


def batch_of(trainer: SacTrainer) -> dict[str, Any]:
    trainer._replay.add(transitions(trainer._sampler.collect(400)))
    return {DEFAULT_MODULE_ID: trainer._replay.draw(64)}


def test_critics_see_the_action_that_the_environment_sees() -> None:
    trainer = make()
    torch.manual_seed(0)
    batch = batch_of(trainer)[DEFAULT_MODULE_ID]
    with torch.no_grad():
        trainer._net.log_std.fill_(0.0)  # wide, so that many are clipped
        mean, action, density = trainer._module._act(batch)
    assert (action.abs() == 1).any()
    assert action.abs().max() == 1
    inside = (action.abs() < 1).all(-1)
    expected = log_probability(mean, trainer._net.spread(), action)
    torch.testing.assert_close(density[inside], expected[inside].detach())
    assert (density[~inside] < expected[~inside]).all()  # the point drawn lies further out


def test_a_mean_outside_of_the_box_comes_back() -> None:
    trainer = make()
    tensors = trainer.shared()
    tensors["actor.2.bias"] = np.full(ACTION, 3.0, np.float32)
    trainer.take(tensors)
    seen = torch.zeros(1, OBSERVATION)
    trainer.train(30, 1e-2)
    with torch.no_grad():
        assert trainer._net.means(seen, torch.zeros(1, 0)).abs().max() < 1.5


def test_one_pass_gives_the_gradients_of_rllibs_four() -> None:
    trainer = make()
    learner, batch = trainer._learner, batch_of(trainer)
    found = []
    for compute in (type(learner).compute_gradients, SACTorchLearner.compute_gradients):
        torch.manual_seed(3)
        outputs = learner.module.forward_train(batch)
        losses = learner.compute_losses(fwd_out=outputs, batch=batch)
        found.append([each.clone() for each in compute(learner, losses).values()])
    assert len(found[0]) == len(found[1])
    assert sum(each.abs().sum() > 0 for each in found[0]) > 10
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_copies_follow_as_rllibs_do() -> None:
    trainer = make(settings=SETTINGS.model_copy(update={"tau": 0.3}))
    critics, targets = trainer._module.critics, trainer._module.targets
    with torch.no_grad():
        for weight in critics.parameters():
            weight.add_(1.0)
    expected = [0.3 * a + 0.7 * b for a, b in zip(critics.parameters(), targets.parameters(), strict=True)]
    trainer._learner.after_gradient_based_update(timesteps={})
    for ours, theirs in zip(targets.parameters(), expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    before = [each.clone() for each in targets.parameters()]
    update_target_network(critics, targets, 0.3)
    again = [0.3 * a + 0.7 * b for a, b in zip(critics.parameters(), before, strict=True)]
    for theirs, ours in zip(targets.parameters(), again, strict=True):
        torch.testing.assert_close(theirs, ours)
