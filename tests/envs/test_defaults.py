"""What a task advises whoever trains for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.learning.unlike import UNLIKE
from envs.bundle import BUNDLES, bundle_names
from envs.defaults import Training, read_training
from envs.task import load_task
from skills.errors import ContractError
from skills.messages.campaigns import CampaignPlan, Phase
from skills.messages.plans import TrainingPlan
from skills.messages.training import Imitation, Ppo
from tests.envs.bundles import SMALL, small_bundle

ADVICE = """
[training.learner]
algorithm = "ppo"
discount = 0.98

[training.campaign]
rounds = 60
training = { iterations = 1 }
"""


def test_a_task_that_advises_nothing_gets_the_usual_campaign() -> None:
    usual = CampaignPlan(training=TrainingPlan(learner=Ppo()))
    assert Training().order() == usual == load_task("weld-seam").file.training.order()


def test_an_order_names_the_learner_that_the_task_advises(tmp_path: Path) -> None:
    order = load_task(small_bundle(tmp_path / "Bundle", toml=SMALL + ADVICE)).file.training.order()
    assert order == CampaignPlan(rounds=60, training=TrainingPlan(iterations=1, learner=Ppo(discount=0.98)))
    lessons = TrainingPlan(learner=Imitation())
    phases = CampaignPlan(training=lessons, then=(Phase(rounds=40, training=TrainingPlan(variates=True)),))
    order = Training(campaign=phases).order()
    assert order.training == lessons
    assert order.then[0].training == TrainingPlan(variates=True, learner=Ppo())


@pytest.mark.parametrize("name", bundle_names())
def test_what_is_advised_is_read_alike_with_and_without_the_scene(name: str) -> None:
    assert read_training(BUNDLES / name) == load_task(name).file.training


def test_the_hanging_load_advises_what_it_was_measured_with_in_steps_half_as_long() -> None:
    """Long steps go up and down before they settle; without a gate, as there, that does no harm."""
    order = load_task("swing-load").file.training.order()
    rounds, lessons = UNLIKE.rounds, dict(UNLIKE.variants["lessons"].training)
    lessons["learner"] = lessons["learner"].model_copy(update={"master_iterations": rounds})
    lessons["learning_rate"] = UNLIKE.training.learning_rate / 2
    assert order.training == UNLIKE.training.model_copy(update=lessons)
    assert (order.rounds, order.merge) == (rounds, UNLIKE.merge)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("rounds = 60", "round = 60", "training.campaign.round"),
        ("rounds = 60", "rounds = 0", "training.campaign.rounds"),
        ("iterations", "iteration", "training.campaign.training.iteration"),
        ("iterations = 1", "moments = true", "order these, too"),
        ("rounds = 60", "quorum = 2", "training.campaign.quorum"),
    ],
)
def test_advice_that_cannot_be_ordered_is_refused(tmp_path: Path, old: str, new: str, named: str) -> None:
    bundle = small_bundle(tmp_path / "Bundle", toml=SMALL + ADVICE.replace(old, new))
    with pytest.raises(ContractError) as caught:
        load_task(bundle)
    assert named in str(caught.value)
    with pytest.raises(ContractError, match="zunft task check"):
        read_training(bundle)
