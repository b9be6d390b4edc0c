"""Factors: of which matrices, how they begin, how long their products are, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from skills.delta import Delta, DeltaHeader, EncodedDelta, learned, matrices_of_delta, norm, shapes_of_delta
from skills.errors import ArtefactError, ContractError
from skills.low_rank import A, B, chosen, factors_of, first_factor, inner_products
from skills.messages.low_rank import LowRank
from skills.messages.plans import TrainingPlan
from tests.skills.samples import small_skill

Tensors = dict[str, NDArray[Any]]
BASE = small_skill()
SHAPES = BASE.manifest.network.shapes()
MATRIX = next(name for name, shape in SHAPES.items() if shape == (8, 8))


def plan(**fields: Any) -> TrainingPlan:
    low_rank = {"rank": 1, "matrices": [MATRIX], **fields.pop("low_rank", {})}
    return TrainingPlan.model_validate({"low_rank": low_rank, "codec": "raw", **fields})


def child(order: TrainingPlan, seed: int = 0, size: float = 1.0) -> Tensors:
    """What a trainer has after a round: weights, and both factors of matrices."""
    rng = np.random.default_rng(seed)
    found: Tensors = {n: each + size * rng.standard_normal(each.shape) for n, each in BASE.tensors.items()}
    for name, (rows, columns) in matrices_of_delta(BASE.manifest, order).items():
        assert order.low_rank
        found[name + B] = size * rng.standard_normal((rows, order.low_rank.rank))
        found[name + A] = first_factor(BASE.digest, name, (order.low_rank.rank, columns))
    return found


def sent(order: TrainingPlan, tensors: Tensors) -> EncodedDelta:
    header = DeltaHeader(base=BASE.digest, round_id="r", robot_id="ada", codec=order.codec, samples=1)
    data = Delta(header, learned(tensors, BASE, order)).to_bytes()
    return EncodedDelta.from_bytes(data, shapes_of_delta(BASE.manifest, order))


def test_all_matrices_that_get_smaller_are_chosen_and_named_ones_alone_where_some_are() -> None:
    all_of_them = chosen(SHAPES, LowRank(rank=1))
    assert all_of_them == {n: s for n, s in SHAPES.items() if len(s) == 2 and sum(s) < s[0] * s[1]}
    assert set(chosen(SHAPES, LowRank(rank=1, matrices=("actor.*",)))) < set(all_of_them)


def test_matrices_that_are_none_are_named() -> None:
    for matrices in (("nothing.*",), (MATRIX, "log_std")):
        with pytest.raises(ContractError, match="names no matrix that rank 1 makes smaller"):
            chosen(SHAPES, LowRank(rank=1, matrices=matrices))
    with pytest.raises(ContractError, match="rank 8"):
        chosen(SHAPES, LowRank(rank=8))


def test_factors_take_the_place_of_a_matrix_and_a_frozen_a_stays_at_home() -> None:
    shapes = shapes_of_delta(BASE.manifest, plan())
    assert MATRIX not in shapes
    assert (shapes[MATRIX + B], shapes[MATRIX + A]) == ((8, 1), (1, 8))
    frozen = shapes_of_delta(BASE.manifest, plan(low_rank={"frozen_a": True}))
    assert set(shapes) - set(frozen) == {MATRIX + A}


def test_variates_and_factors_are_not_ordered_together() -> None:
    with pytest.raises(ValueError, match="variates are gradients of whole matrices"):
        plan(variates=True)


def test_a_round_begins_with_the_same_a_everywhere() -> None:
    drawn = first_factor("sha256:00", "w", (2, 3))
    expected = [[0.764120, 0.193657, 0.562901], [0.087638, -0.843071, 0.126455]]
    assert np.array_equal(drawn, first_factor("sha256:00", "w", (2, 3)))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)
    assert not np.array_equal(drawn, first_factor("sha256:01", "w", (2, 3)))
    assert first_factor("sha256:00", "w", (64, 1000)).var() == pytest.approx(1 / 1000, rel=0.02)


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 4),
    st.integers(1, 12),
    st.integers(1, 12),
    st.lists(st.integers(1, 3), min_size=1, max_size=5),
)
def test_inner_products_are_those_of_the_products(
    seed: int, scale: int, rows: int, columns: int, ranks: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    several = [
        (scale * rng.standard_normal((rows, rank)), rng.standard_normal((rank, columns))) for rank in ranks
    ]
    dense = np.stack([(b @ a).ravel() for b, a in several])
    expected = dense @ dense.T
    np.testing.assert_allclose(inner_products(several), expected, rtol=1e-6, atol=1e-9 * np.trace(expected))


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("limit", [0.5, 1e6])
def test_what_is_too_long_is_shortened_in_b(frozen: bool, limit: float) -> None:
    order = plan(low_rank={"frozen_a": frozen}, clip_norm=limit)
    made = child(order)
    delta = sent(order, made)
    matrices = matrices_of_delta(BASE.manifest, order)
    ((left, right),) = factors_of(delta.tensors, matrices, BASE.digest).values()
    dense = {n: np.asarray(t) for n, t in delta.tensors.items() if not n.startswith(MATRIX + ".")}
    whole = norm({**dense, MATRIX: left @ right})
    assert delta.norms(matrices)["network"] == pytest.approx(whole)
    assert whole == pytest.approx(0.5) if limit == 0.5 else whole > 1
    np.testing.assert_array_equal(right, made[MATRIX + A])
    bias = next(name for name in dense if name.endswith("bias"))
    share = dense[bias] / (made[bias] - BASE.tensors[bias])
    np.testing.assert_allclose(left / made[MATRIX + B], share.ravel()[0])


def test_a_factor_beyond_all_weights_is_refused_whatever_its_product() -> None:
    order = plan(clip_norm=1e6)
    made = child(order)
    made[MATRIX + B] *= 0
    made[MATRIX + A] = np.full((1, 8), 1e7)
    with pytest.raises(ArtefactError, match="a factor has a number beyond 1e\\+06"):
        sent(order, made).norms(matrices_of_delta(BASE.manifest, order))
