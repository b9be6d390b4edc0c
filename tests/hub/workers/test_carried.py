"""What a skill carries beside its network, through a merge: means of what robots have, past the optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.merging import choose_engine
from hub.workers.merge_round import Received, write_candidate
from hub.workers.weights import discount
from skills.container import digest_of, pack, unpack
from skills.delta import learned, norm, shapes_of_delta
from skills.messages.plans import MergePlan, TrainingPlan
from skills.parts import CARRIED, is_carried, network_of, part_of
from skills.skill import Skill
from tests.hub.conftest import tiny_skill

Tensors = dict[str, NDArray[Any]]

ENGINE = choose_engine("cpu")
laws = settings(deadline=None, max_examples=40)  # kernels are compiled in the first one
PLAIN = TrainingPlan()
VARIATES = TrainingPlan(variates=True, share="policy")
MOMENTS = TrainingPlan(variates=True, moments=True)
BEFORE = pack("another optimiser's", {})
"""State of the round before, in which the server stepped otherwise: nothing of it is of use."""
PLANS = [
    MergePlan(),
    MergePlan(momentum=0.5, step=3.0),
    MergePlan(optimiser="adam", learning_rate=1.0),
    MergePlan(sample_cap=150),
]


@dataclass(frozen=True)
class Made:
    """What came out of a merge."""

    skill: Skill
    state: bytes
    metrics: dict[str, float]


def carrying(*parts: str, seed: int = 0) -> Skill:
    """A tiny skill that carries something everywhere."""
    skill = tiny_skill()
    manifest = skill.manifest.model_copy(update={"carries": parts})
    return Skill(manifest, values(seed, manifest.shapes()) | skill.tensors)


def values(seed: int, shapes: Mapping[str, tuple[int, ...]]) -> Tensors:
    """Numbers as a robot has them after a round; a root is above zero."""
    rng = np.random.default_rng(seed)
    found = {name: (0.05 * rng.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    return {name: np.abs(each) if part_of(name) == "second" else each for name, each in found.items()}


def robot(base: Skill, plan: TrainingPlan, seed: int) -> Tensors:
    return values(1000 + seed, base.manifest.network.shapes() | shapes_of_delta(base.manifest, plan))


def received(tensors: Mapping[str, NDArray[Any]], *, samples: int = 100, staleness: int = 0) -> Received:
    found = dict(tensors)
    return Received(samples, None, norm(network_of(found)), staleness, found)


def merged(
    base: Skill,
    deltas: list[Received],
    training: TrainingPlan,
    plan: MergePlan = PLANS[0],
    state: bytes | None = BEFORE,
) -> Made:
    skill_file, state_file = BytesIO(), BytesIO()
    metrics = write_candidate(
        skill_file,
        state_file,
        base,
        {f"sha256:{number:064x}": each for number, each in enumerate(deltas)},
        training,
        plan,
        version=2,
        round_id="c-1",
        optimiser_state=state,
        engine=ENGINE,
    )
    return Made(Skill.from_bytes(skill_file.getvalue()), state_file.getvalue(), metrics)


def weights_of(plan: MergePlan, deltas: list[Received]) -> list[float]:
    return [
        min(each.samples, plan.sample_cap or TrainingPlan().steps_done) * discount(each.staleness)
        for each in deltas
    ]


def only_carried(skill: Skill) -> Tensors:
    return {name: each for name, each in skill.tensors.items() if is_carried(name)}


@laws
@pytest.mark.parametrize("plan", PLANS)
@given(
    samples=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    training=st.sampled_from([VARIATES, MOMENTS]),
    carried=st.sampled_from([(), ("variate",), CARRIED]),
    seed=st.integers(0, 1000),
)
def test_a_version_carries_the_weighted_mean_of_what_its_robots_have(
    plan: MergePlan, samples: list[int], training: TrainingPlan, carried: tuple[str, ...], seed: int
) -> None:
    base = carrying(*carried)
    robots = [robot(base, training, seed + number) for number in range(len(samples))]
    deltas = [
        received(learned(mine, base, training), samples=each)
        for mine, each in zip(robots, samples, strict=True)
    ]
    found = merged(base, deltas, training, plan).skill
    assert found.manifest.carries == training.carries
    for name, tensor in only_carried(found).items():
        expected = np.average([mine[name] for mine in robots], axis=0, weights=weights_of(plan, deltas))
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-7)


@laws
@given(late=st.lists(st.integers(0, 3), min_size=2, max_size=5), seed=st.integers(0, 1000))
def test_what_comes_late_has_moved_with_the_versions_since(late: list[int], seed: int) -> None:
    """A robot's variate counts as far from the one there is now as it was from the one it began with."""
    bases = [carrying("variate", seed=each) for each in range(4)]
    robots = [robot(bases[0], VARIATES, seed + 10 + number) for number in range(len(late))]
    deltas = [
        received(learned(mine, bases[each], VARIATES), staleness=each)
        for mine, each in zip(robots, late, strict=True)
    ]
    found = merged(bases[0], deltas, VARIATES).skill
    for name, tensor in only_carried(found).items():
        moved = [
            mine[name] + bases[0].tensors[name] - bases[each].tensors[name]
            for mine, each in zip(robots, late, strict=True)
        ]
        expected = np.average(moved, axis=0, weights=weights_of(PLANS[0], deltas))
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-7)


@laws
@pytest.mark.parametrize("rule", ["mean", "median", "trimmed-mean"])
@given(order=st.permutations(range(5)))
def test_who_comes_first_changes_nothing(rule: str, order: list[int]) -> None:
    base = carrying("variate")
    deltas = [received(learned(robot(base, VARIATES, seed), base, VARIATES)) for seed in range(5)]
    plan = MergePlan.model_validate({"rule": rule})
    usual = merged(base, deltas, VARIATES, plan).skill
    other = merged(base, [deltas[number] for number in order], VARIATES, plan).skill
    for name, tensor in usual.tensors.items():
        np.testing.assert_allclose(other.tensors[name], tensor, rtol=1e-6, atol=1e-8)


def test_rules_of_order_look_at_each_coordinate_of_a_variate() -> None:
    base = carrying("variate")
    robots = [robot(base, VARIATES, seed) for seed in range(5)]
    deltas = [received(learned(mine, base, VARIATES)) for mine in robots]
    found = merged(base, deltas, VARIATES, MergePlan(rule="median")).skill
    for name, tensor in only_carried(found).items():
        expected = np.median([mine[name] for mine in robots], axis=0)
        np.testing.assert_allclose(tensor, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    "plan",
    [
        MergePlan(rule="krum", options={"byzantine": 1}),
        MergePlan(rule="geometric-median"),
        MergePlan(rule="mean", clip=1.0),
        MergePlan(rule="mda", options={"byzantine": 1}),
        MergePlan(rule="centred-clipping", options={"byzantine": 1}),
        MergePlan(rule="trimmed-mean", options={"trim": 0.2, "byzantine": 1}, mixing=True),
    ],
)
def test_neither_a_variate_nor_weights_decide_anything_about_the_other(plan: MergePlan) -> None:
    base = carrying("variate")
    sent = [dict(learned(robot(base, VARIATES, seed), base, VARIATES)) for seed in range(6)]
    usual = merged(base, [received(each) for each in sent], VARIATES, plan)
    for is_loud in (is_carried, lambda name: not is_carried(name)):
        loud = [
            received({name: 3.0**number * each if is_loud(name) else each for name, each in tensors.items()})
            for number, tensors in enumerate(sent)
        ]
        found = merged(base, loud, VARIATES, plan)
        for name, tensor in usual.skill.tensors.items():
            assert is_loud(name) or found.skill.tensors[name].tobytes() == tensor.tobytes(), name
        assert is_loud("log_std") or (found.state, found.metrics) == (usual.state, usual.metrics)


def test_who_lies_in_a_variate_alone_does_not_hide_behind_honest_weights() -> None:
    base = carrying("variate")
    honest = [robot(base, VARIATES, seed) for seed in range(6)]
    lie = {name: np.full(each.shape, 0.2) if is_carried(name) else each for name, each in honest[0].items()}
    deltas = [received(learned(mine, base, VARIATES)) for mine in (*honest, lie, lie)]
    options = {"trim": 0.25, "byzantine": 2}
    plan = MergePlan(rule="trimmed-mean", options=options, mixing=True)
    found = merged(base, deltas, VARIATES, plan).skill
    mean = {name: np.mean([mine[name] for mine in honest], axis=0) for name in only_carried(base)}
    spread = max(norm({name: mine[name] - mean[name] for name in mean}) for mine in honest)
    assert norm({name: found.tensors[name] - mean[name] for name in mean}) < spread / 2
    simple = merged(base, deltas, VARIATES).skill
    assert norm({name: simple.tensors[name] - mean[name] for name in mean}) > spread / 2


def test_a_campaign_without_variates_does_not_see_what_its_base_carries() -> None:
    bare, base = carrying(), carrying(*CARRIED)
    deltas = [received(learned(robot(bare, PLAIN, seed), bare, PLAIN)) for seed in range(3)]
    found, expected = (merged(each, deltas, PLAIN, PLANS[1]) for each in (base, bare))
    assert found.skill.manifest.carries == ()
    assert found.state == expected.state
    assert {n: t.tobytes() for n, t in found.skill.tensors.items()} == {
        n: t.tobytes() for n, t in expected.skill.tensors.items()
    }


def test_a_critic_that_stays_at_home_stays_the_bases() -> None:
    base = carrying()
    deltas = [received(learned(robot(base, VARIATES, seed), base, VARIATES)) for seed in range(3)]
    found = merged(base, deltas, VARIATES)
    for name, tensor in base.tensors.items():
        same = found.skill.tensors[name].tobytes() == tensor.tobytes()
        assert same == name.startswith("critic."), name
    assert not any("critic" in name for name in unpack(found.state, "optimiser state")[1])


@pytest.mark.parametrize("plan", [MergePlan(momentum=0.5), MergePlan(optimiser="adam")])
def test_a_critic_that_is_shared_again_begins_its_moments_anew(plan: MergePlan) -> None:
    base = carrying()
    at_home, shared = (
        [received(learned(robot(base, each, seed), base, each)) for seed in range(3)]
        for each in (VARIATES, PLAIN)
    )
    first = merged(base, shared, PLAIN, plan)
    second = merged(base, at_home, VARIATES, plan, first.state)
    third = merged(base, shared, PLAIN, plan, second.state)
    after, expected = (unpack(each.state, "optimiser state")[1] for each in (third, first))
    for name in after:
        assert (after[name].tobytes() == expected[name].tobytes()) == ("critic." in name), name


def test_liars_cannot_make_a_root_of_a_moment_that_is_none() -> None:
    base = carrying(*CARRIED)
    sent = [dict(learned(robot(base, MOMENTS, seed), base, MOMENTS)) for seed in range(2)]
    lie = {n: np.full(t.shape, -1.0) if part_of(n) == "second" else t for n, t in sent[0].items()}
    found = merged(base, [received(each) for each in (*sent, lie)], MOMENTS).skill
    seconds = [each for name, each in found.tensors.items() if part_of(name) == "second"]
    assert all((each == 0).all() for each in seconds)


def test_a_merge_without_a_robot_is_as_if_it_had_never_been_there() -> None:
    base = carrying("variate")
    deltas = [received(learned(robot(base, VARIATES, seed), base, VARIATES)) for seed in range(4)]
    without = [merged(base, deltas[1:], VARIATES, plan) for plan in PLANS]
    never = [merged(base, list(deltas[1:]), VARIATES, plan) for plan in PLANS]
    withal = [merged(base, deltas, VARIATES, plan) for plan in PLANS]
    for one, other, third in zip(without, never, withal, strict=True):
        assert digest_of(one.skill.to_bytes()) == digest_of(other.skill.to_bytes())
        assert digest_of(one.skill.to_bytes()) != digest_of(third.skill.to_bytes())


def test_a_robots_delta_and_the_merge_agree_on_what_the_base_carries() -> None:
    """One robot alone: the version has its very variate."""
    base = carrying("variate")
    mine = robot(base, VARIATES, 5)
    sent = learned(mine, base, VARIATES)
    found = merged(base, [received(sent)], VARIATES, MergePlan(step=1.0)).skill
    assert all(found.tensors[name].tobytes() == mine[name].tobytes() for name in sent if is_carried(name))


def test_without_a_round_of_the_same_learner_before_what_the_base_carries_counts_as_nothing() -> None:
    base = carrying("variate")
    bare = Skill(base.manifest.model_copy(update={"carries": ()}), network_of(base.tensors))
    mine = robot(base, VARIATES, 5)
    found = merged(base, [received(learned(mine, bare, VARIATES))], VARIATES, state=None).skill
    assert all(np.array_equal(each, mine[name]) for name, each in only_carried(found).items())
