"""Factors through a merge: exactly what the products would have merged to, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hub.merging import MergeError, choose_engine
from hub.merging.low_rank import Products
from hub.workers.merge_round import Received, check_low_rank, write_candidate
from skills.delta import matrices_of_delta, norm, shapes_of_delta
from skills.errors import ContractError
from skills.low_rank import A, factors_of
from skills.messages.plans import MergePlan, TrainingPlan
from skills.skill import Skill
from tests.skills.samples import small_skill

Tensors = dict[str, NDArray[Any]]
BASE = small_skill()
ENGINE = choose_engine("cpu")
laws = settings(deadline=None, max_examples=20)  # kernels are compiled in the first one
FACTORS = TrainingPlan.model_validate({"low_rank": {"rank": 2}})
FROZEN = TrainingPlan.model_validate({"low_rank": {"rank": 2, "frozen_a": True}, "share": "policy"})
PLANS = [
    MergePlan(),
    MergePlan(step=1.0, clip=0.8, sample_cap=120),
    MergePlan(rule="geometric-median"),
    MergePlan(rule="centred-clipping"),
    MergePlan(rule="krum", options={"byzantine": 1}),
    MergePlan(rule="multi-krum", options={"byzantine": 1}, mixing=True),
    MergePlan(rule="mda", options={"byzantine": 1}),
    MergePlan(rule="task-arithmetic"),
]


def sent(training: TrainingPlan, count: int, seed: int) -> list[Tensors]:
    rng = np.random.default_rng(seed)
    shapes = shapes_of_delta(BASE.manifest, training)
    sizes = rng.uniform(0.1, 1, count)
    return [{n: size * rng.standard_normal(s) for n, s in shapes.items()} for size in sizes]


def expanded(training: TrainingPlan, tensors: Tensors, base: str) -> Tensors:
    """The same with products in the place of factors."""
    matrices = matrices_of_delta(BASE.manifest, training)
    products: Tensors = {n: b @ a for n, (b, a) in factors_of(tensors, matrices, base).items()}
    return products | {n: each for n, each in tensors.items() if n[: -len(A)] not in matrices}


def merged(
    deltas: list[Tensors], training: TrainingPlan, plan: MergePlan, bases: list[str]
) -> tuple[Skill, dict[str, float]]:
    skill, state = BytesIO(), BytesIO()
    dense = [expanded(training, each, base) for each, base in zip(deltas, bases, strict=True)]
    metrics = write_candidate(
        skill,
        state,
        BASE,
        {
            f"sha256:{number:064x}": Received(100 + 50 * number, None, norm(whole), 0, each, base=base)
            for number, (each, whole, base) in enumerate(zip(deltas, dense, bases, strict=True))
        },
        training,
        plan,
        version=2,
        round_id="r",
        optimiser_state=None,
        engine=ENGINE,
    )
    return Skill.from_bytes(skill.getvalue()), metrics


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.rule_in_words())
@pytest.mark.parametrize("training", [FACTORS, FROZEN], ids=["both", "frozen"])
@laws
@given(seed=st.integers(0, 2**32 - 1))
def test_factors_merge_to_what_their_products_would(
    training: TrainingPlan, plan: MergePlan, seed: int
) -> None:
    deltas = sent(training, 5, seed)
    bases = [BASE.digest] * 4 + ["sha256:" + "0" * 64]  # the last comes a round late
    ours, figures = merged(deltas, training, plan, bases)
    plain = training.model_copy(update={"low_rank": None})
    dense = [expanded(training, each, base) for each, base in zip(deltas, bases, strict=True)]
    theirs, expected = merged(dense, plain, plan, bases)
    assert figures == pytest.approx(expected, rel=1e-6, abs=1e-9)
    for name, tensor in theirs.tensors.items():
        moved = tensor.astype(float) - BASE.tensors[name]
        found = ours.tensors[name].astype(float) - BASE.tensors[name]
        # Either is rounded to float32 once.
        allowed = 1e-6 * np.abs(moved).max(initial=0) + 1e-6 * np.abs(tensor).max(initial=0)
        assert np.abs(found - moved).max(initial=0) <= allowed


def test_the_order_in_which_deltas_come_does_not_matter() -> None:
    deltas, bases = sent(FACTORS, 5, 0), [BASE.digest] * 5
    once, _ = merged(deltas, FACTORS, PLANS[0], bases)
    again, _ = merged(list(map(dict, deltas)), FACTORS, PLANS[0], bases)
    assert once.digest == again.digest


@given(
    st.integers(1, 9),
    st.integers(1, 50),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.integers(0, 449),
    st.integers(1, 450),
)
def test_any_stretch_of_a_fold_is_that_of_the_product(
    rows: int, columns: int, ranks: list[int], start: int, count: int
) -> None:
    rng = np.random.default_rng(rows)
    factors = [(rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))) for rank in ranks]
    weights = rng.uniform(0, 1, len(ranks))
    fold = Products(factors).fold(weights)
    start %= rows * columns
    here = slice(start, min(start + count, rows * columns))
    expected = np.sum([w * (b @ a) for w, (b, a) in zip(weights, factors, strict=True)], axis=0).ravel()
    np.testing.assert_allclose(fold.numbers(here), expected[here], atol=1e-12)
    whole = fold.numbers(slice(0, rows * columns))
    assert np.array_equal(fold.numbers(here), whole[here])  # however it is cut


def test_updates_without_a_weight_are_not_in_the_fold() -> None:
    factors = [(np.ones((2, 1)), np.ones((1, 3))), (np.full((2, 1), 5.0), np.ones((1, 3)))]
    assert np.array_equal(Products(factors).fold(np.array([1.0, 0.0])).numbers(slice(0, 6)), np.ones(6))


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ({"rule": "median"}, "median looks at single numbers"),
        ({"rule": "trimmed-mean"}, "trimmed-mean looks at single numbers"),
        ({"rule": "ties"}, "ties looks at single numbers"),
        ({"rule": "dare"}, "dare looks at single numbers"),
        ({"rule": "bulyan", "options": {"byzantine": 1}}, "bulyan looks at single numbers"),
        ({"rule": "fltrust"}, "fltrust tries each delta in the gate"),
        ({"momentum": 0.5}, "momentum 0.5, step 1.5 keeps a number for each weight"),
        ({"optimiser": "adam"}, "adam, learning rate 0.01 keeps a number for each weight"),
    ],
)
def test_what_needs_more_than_factors_is_refused_with_a_reason(plan: Mapping[str, Any], why: str) -> None:
    order = MergePlan.model_validate(plan)
    with pytest.raises(MergeError, match=why):
        check_low_rank(BASE.manifest, FACTORS, order)
    check_low_rank(BASE.manifest, TrainingPlan(), order)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.rule_in_words())
def test_rules_of_distances_are_taken(plan: MergePlan) -> None:
    check_low_rank(BASE.manifest, FACTORS, plan)


def test_matrices_that_the_skill_does_not_have_are_refused() -> None:
    order = TrainingPlan.model_validate({"low_rank": {"rank": 2, "matrices": ["elsewhere.*"]}})
    with pytest.raises(ContractError, match=r"'elsewhere\.\*' names no matrix"):
        check_low_rank(BASE.manifest, order, MergePlan())
