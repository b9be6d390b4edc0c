"""Learning factors: matrices move by their product alone, and each round begins with none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from fleet.practice import practise
from fleet.training.choose import make_trainer
from fleet.training.factors import LearnedFactors
from skills.container import Tensors
from skills.initial import initial_skill
from skills.low_rank import A, B, first_factor
from skills.messages.low_rank import LowRank
from skills.messages.plans import TrainingPlan
from skills.messages.training import Algorithm, Imitation, Ppo, Sac
from skills.networks.base import Network
from skills.networks.mlp import Mlp
from skills.networks.transformer import Transformer
from skills.skill import Skill
from tests.fleet.test_practice import assignment_for, base_skill
from tests.fleet.toys import ACTION, OBSERVATION, PointCopies
from tests.fleet.training.test_imitation import Straight

PLAIN = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=(16, 16))
ATTENTIVE = Transformer(inputs=OBSERVATION, outputs=ACTION, width=16, layers=1, heads=2, hidden=16, history=4)
LESSONS = Imitation(batch=200, minibatch=100, steps=5)
CASES: list[tuple[Network, Algorithm]] = [
    (PLAIN, Ppo(batch=200, minibatch=50, epochs=2)),
    (PLAIN, Sac(batch=50, updates=5, begin=50)),
    (ATTENTIVE, LESSONS),
    (ATTENTIVE, Ppo(batch=200, minibatch=50, epochs=1)),
]


def sent_by(
    network: Network, learner: Algorithm, plan: TrainingPlan, rounds: int = 1
) -> tuple[Skill, Tensors]:
    """What a robot sends of its last round, all of which begin from the same base."""
    base = base_skill()
    base = initial_skill(base.manifest.model_copy(update={"network": network}), seed=0)
    trainer = make_trainer(
        lambda seed: PointCopies(8, seed),
        network,
        learner,
        seed=1,
        shares_critic=plan.share == "all",
        low_rank=plan.low_rank,
        teacher=Straight,
    )
    for _ in range(rounds):
        delta = practise(base, assignment_for(base, plan, 1e-2), trainer, "ada", {}).delta
    trainer.close()
    return base, dict(delta.tensors)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("network", "learner"), CASES, ids=lambda each: type(each).__name__)
def test_every_learner_moves_matrices_by_factors(network: Network, learner: Algorithm, frozen: bool) -> None:
    low_rank = LowRank(rank=2, frozen_a=frozen)
    plan = TrainingPlan(low_rank=low_rank, iterations=1, share="policy")
    base, sent = sent_by(network, learner, plan)
    left = {name: each for name, each in sent.items() if name.endswith(B)}
    assert left
    assert all(np.abs(each).max() > 0 for each in left.values())
    assert not set(sent) & {name.removesuffix(B) for name in left}
    for name in left:
        matrix = name.removesuffix(B)
        assert (matrix + A in sent) is not frozen
        if not frozen:
            begun = first_factor(base.digest, matrix, (2, sent[matrix + A].shape[1]))
            assert 0 < np.abs(sent[matrix + A] - begun).max() < 1


def test_each_round_begins_anew() -> None:
    plan = TrainingPlan(low_rank=LowRank(rank=2), iterations=1, share="policy")
    _, once = sent_by(PLAIN, Ppo(batch=200, minibatch=200, epochs=1), plan)
    _, twice = sent_by(PLAIN, Ppo(batch=200, minibatch=200, epochs=1), plan, rounds=2)
    largest = [max(np.abs(each).max() for n, each in sent.items() if n.endswith(B)) for sent in (once, twice)]
    assert largest[1] < 1.5 * largest[0]  # by Adam's first step, and not by that and another's


@pytest.mark.parametrize("frozen", [False, True])
def test_steps_are_those_of_gradients_through_the_product(frozen: bool) -> None:
    torch.manual_seed(0)
    base, wanted, seen = torch.randn(6, 5), torch.randn(9, 6), torch.randn(9, 5)
    weight = nn.Parameter(base.clone())
    learned = LearnedFactors({"w": weight}, LowRank(rank=2, frozen_a=frozen), "sha256:0")
    left = nn.Parameter(torch.zeros(6, 2))
    right = nn.Parameter(torch.from_numpy(first_factor("sha256:0", "w", (2, 5))).float(), not frozen)
    adam = torch.optim.Adam([left] if frozen else [left, right], lr=1e-2, eps=1e-5)
    for _ in range(5):
        (seen @ weight.T - wanted).square().mean().backward()  # type: ignore[no-untyped-call]
        learned.step(1e-2)
        adam.zero_grad()
        (seen @ (base + left @ right).T - wanted).square().mean().backward()  # type: ignore[no-untyped-call]
        adam.step()
    found = learned.tensors()
    np.testing.assert_allclose(found["w.B"], left.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(found["w.A"], right.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(weight.detach().numpy(), (base + left @ right).detach().numpy(), atol=1e-5)
    assert weight.grad is None
