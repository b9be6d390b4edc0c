from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from fleet.practice import Practised, practise
from fleet.training.ppo import PpoTrainer
from fleet.training.report import TrainingReport
from skills.container import Tensors
from skills.delta import Delta, apply, norm, shapes_of_delta
from skills.errors import ArtefactError
from skills.initial import initial_skill
from skills.manifest import Channel, Contract, Manifest
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.messages.skills import VersionView
from skills.messages.training import Ppo
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.fleet.toys import ACTION, OBSERVATION, PointCopies

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def base_skill(hidden: tuple[int, ...] = (8,)) -> Skill:
    contract = Contract(
        observation=(Channel(name="point", size=OBSERVATION, unit="m", scale=1),),
        action=(Channel(name="push", size=ACTION, unit="m/s", scale=1),),
        control_hz=10,
    )
    network = Mlp(inputs=OBSERVATION, outputs=ACTION, hidden=hidden)
    return initial_skill(
        Manifest(name="reach", version=1, task="reach", contract=contract, network=network), seed=0
    )


def assignment_for(skill: Skill, plan: TrainingPlan, learning_rate: float = 1e-3) -> Assignment:
    base = VersionView(
        skill="reach",
        version=1,
        digest=skill.digest,
        size=len(skill.to_bytes()),
        origin="initial",
        task="reach",
        created_at=NOW,
        signature="",
        manifest=skill.manifest,
    )
    return Assignment(
        campaign_id="c",
        round_id="r1",
        number=1,
        rounds=2,
        base=base,
        deadline=NOW,
        training=plan,
        learning_rate=learning_rate,
    )


def make_trainer(skill: Skill) -> PpoTrainer:
    settings = Ppo(batch=160, minibatch=80, epochs=2)
    return PpoTrainer(lambda seed: PointCopies(4, seed), skill.manifest.network, settings, seed=4)


def test_the_delta_leads_from_the_base_to_what_was_trained() -> None:
    base = base_skill()
    trainer = make_trainer(base)
    reports: list[TrainingReport] = []
    order = assignment_for(base, TrainingPlan(iterations=3, codec="raw"))
    delta = practise(base, order, trainer, "robot", {}, reports.append).delta
    reached = apply(base.tensors, delta.tensors)
    assert all(np.array_equal(reached[name], weights) for name, weights in trainer.shared().items())
    assert norm(delta.tensors) > 0
    assert (delta.header.base, delta.header.round_id, delta.header.robot_id) == (base.digest, "r1", "robot")
    assert delta.header.samples == sum(report.steps for report in reports)
    assert len(reports) == 3


@pytest.mark.parametrize("codec", ["raw", "fp16", "int8+zstd"])
def test_the_delta_travels_in_the_codec_of_the_plan(codec: str) -> None:
    base = base_skill()
    plan = TrainingPlan(iterations=1, codec=codec)
    delta = practise(base, assignment_for(base, plan), make_trainer(base), "robot", {}).delta
    received = Delta.from_bytes(delta.to_bytes(), base.manifest.network.shapes())
    assert received.header == delta.header
    assert received.header.codec == codec


def test_a_long_delta_is_shortened_to_the_norm_of_the_plan() -> None:
    base = base_skill()
    assignment = assignment_for(base, TrainingPlan(iterations=2, clip_norm=0.01), learning_rate=0.01)
    delta = practise(base, assignment, make_trainer(base), "robot", {}).delta
    assert norm(delta.tensors) == pytest.approx(0.01)
    assert delta.header.metrics["change"] > 0.01


def test_metrics_are_finite_also_when_no_episode_ended() -> None:
    base = base_skill()
    settings = Ppo(batch=16, minibatch=8, epochs=1)
    trainer = PpoTrainer(lambda seed: PointCopies(4, seed), base.manifest.network, settings, seed=4)
    delta = practise(base, assignment_for(base, TrainingPlan(iterations=1)), trainer, "robot", {}).delta
    assert "success" not in delta.header.metrics
    assert all(np.isfinite(value) for value in delta.header.metrics.values())


def test_a_base_of_another_network_is_refused() -> None:
    trainer = make_trainer(base_skill())
    strange = base_skill(hidden=(9,))
    with pytest.raises(ArtefactError):
        practise(strange, assignment_for(strange, TrainingPlan()), trainer, "robot", {})


def test_with_control_variates_the_delta_has_them_and_the_critic_may_stay_at_home() -> None:
    base = base_skill()
    plan = TrainingPlan(iterations=1, codec="raw", variates=True, share="policy")
    settings = Ppo(batch=160, minibatch=80, epochs=2)

    def trained(private: Tensors, start: Skill) -> Practised:
        trainer = PpoTrainer(
            lambda seed: PointCopies(4, seed),
            base.manifest.network,
            settings,
            seed=4,
            shares_critic=False,
            variates=True,
        )
        return practise(start, assignment_for(start, plan), trainer, "robot", private)

    first = trained({}, base)
    shapes = shapes_of_delta(base.manifest, plan)
    assert set(first.delta.tensors) == set(shapes)
    assert Delta.from_bytes(first.delta.to_bytes(), shapes).header == first.delta.header
    own = {n: t for n, t in first.private.items() if n.startswith("own-variate.")}
    assert own
    for name, tensor in own.items():  # the base carries none: the delta is the variate itself
        sent = first.delta.tensors[f"training.variate.{name.removeprefix('own-variate.')}"]
        np.testing.assert_array_equal(sent, tensor)
    again = trained(first.private, base)  # as after a crash before the delta was kept
    assert set(again.private) == set(first.private)
    assert "kl" in first.delta.header.metrics


def test_after_another_learner_what_the_base_carries_counts_as_nothing() -> None:
    plain = base_skill()
    plan = TrainingPlan(iterations=1, codec="raw", variates=True, moments=True)
    rng = np.random.default_rng(3)
    manifest = plain.manifest.model_copy(update={"carries": plan.carries})
    found = {name: np.abs(rng.normal(size=shape)) for name, shape in manifest.shapes().items()}
    carrying = Skill(
        manifest, {name: each.astype(np.float32) for name, each in found.items()} | plain.tensors
    )

    def sent(base: Skill, afresh: bool) -> Delta:
        trainer = PpoTrainer(
            lambda seed: PointCopies(4, seed),
            base.manifest.network,
            Ppo(batch=160, minibatch=80, epochs=2),
            seed=4,
            variates=True,
            moments=True,
        )
        order = assignment_for(base, plan).model_copy(update={"afresh": afresh})
        return practise(base, order, trainer, "robot", {}).delta

    expected, afresh, going_on = sent(plain, False), sent(carrying, True), sent(carrying, False)
    assert (afresh.header.base, expected.header.base) == (carrying.digest, plain.digest)
    for name in shapes_of_delta(plain.manifest, plan):
        np.testing.assert_array_equal(afresh.tensors[name], expected.tensors[name])
    assert not np.array_equal(going_on.tensors["actor.0.weight"], expected.tensors["actor.0.weight"])
