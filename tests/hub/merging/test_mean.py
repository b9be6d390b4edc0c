"""The weighted mean over all finite float64 numbers and weights, against rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hub.merging import merge_arrays
from hub.merging.stack import CHUNK
from skills.codecs import Quantised
from tests.hub.merging.samples import matrix_updates

Vector = NDArray[np.float64]

numbers = st.floats(allow_nan=False, allow_infinity=False)
weights = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
parts = st.lists(st.tuples(hnp.arrays(np.float64, 3, elements=numbers), weights), min_size=1, max_size=6)
laws = settings(max_examples=50, deadline=None)


def mean(given: list[tuple[Vector, float]]) -> NDArray[Any]:
    return merge_arrays(matrix_updates(np.array([row for row, _ in given])), [weight for _, weight in given])[
        "w"
    ]


@laws
@given(parts=parts)
def test_the_mean_is_the_weighted_mean(parts: list[tuple[Vector, float]]) -> None:
    found, total = mean(parts), sum((Fraction(weight) for _, weight in parts), Fraction(0))
    for place in range(3):
        values = [(Fraction(float(row[place])), Fraction(weight)) for row, weight in parts]
        exact = sum((value * weight for value, weight in values), Fraction(0)) / total
        scale = max(abs(value) for value, _ in values)
        slack = 4 * len(parts) * (scale * Fraction(1, 2**53) + Fraction(1, 2**1074))
        assert abs(Fraction(float(found[place])) - exact) <= slack


@settings(max_examples=100, deadline=None)
@given(heaviness=st.lists(weights, min_size=1, max_size=20))
def test_the_largest_numbers_do_not_overflow(heaviness: list[float]) -> None:
    largest = np.finfo(np.float64).max
    found = mean([(np.array([largest, -largest, 1.0]), weight) for weight in heaviness])
    assert np.isfinite(found).all()
    assert np.abs(found[:2]).min() >= largest * (1 - 1e-14)


@laws
@given(row=hnp.arrays(np.float64, 3, elements=numbers), weight=weights)
def test_merging_one_update_returns_it_bit_for_bit(row: Vector, weight: float) -> None:
    assert mean([(row, weight)]).tobytes() == row.tobytes()


@laws
@given(
    parts=st.lists(
        st.tuples(hnp.arrays(np.float64, 3, elements=numbers), st.floats(1e-9, 1e9)), min_size=1, max_size=6
    ),
    power=st.integers(-900, 900),
)
def test_only_ratios_of_weights_count(parts: list[tuple[Vector, float]], power: int) -> None:
    scaled = [(row, weight * 2.0**power) for row, weight in parts]
    assert mean(scaled).tobytes() == mean(parts).tobytes()


def test_not_even_the_sign_of_a_zero_is_lost() -> None:
    assert str(merge_arrays([{"w": np.array(-0.0)}], [3.0])["w"]) == "-0.0"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_number_has_the_same_mean_wherever_it_stands(
    dtype: type[np.floating[Any]], rng: np.random.Generator
) -> None:
    size = 2 * CHUNK + 5
    rows = rng.standard_normal((3, 7)).astype(dtype)
    long = merge_arrays([{"w": np.resize(row, size)} for row in rows], [3.0, 11.0, 7.0])["w"]
    short = merge_arrays(matrix_updates(rows), [3.0, 11.0, 7.0])["w"]
    assert long.tobytes() == np.resize(short, size).tobytes()


def test_a_quantised_update_counts_as_what_it_stands_for(rng: np.random.Generator) -> None:
    codes = rng.integers(-127, 128, (3, 1000)).astype(np.int8)
    scales = rng.uniform(1e-6, 2, (3, 4)).astype(np.float32)
    updates = [{"w": Quantised(*pair)} for pair in zip(codes, scales, strict=True)]
    found = merge_arrays(updates, [1.0, 2.0, 5.0])["w"]
    want = merge_arrays([{"w": each["w"].decode()} for each in updates], [1.0, 2.0, 5.0])["w"]
    assert found.dtype == np.float32
    assert np.array_equal(found, want.astype(np.float32))


def test_a_memory_mapped_update_is_read_where_it_lies(tmp_path: Any, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((3, 1000)).astype(np.float32)
    rows.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, "r", shape=(3, 1000))
    found = merge_arrays([{"w": row} for row in mapped])["w"]
    assert found.tobytes() == merge_arrays(matrix_updates(rows))["w"].tobytes()
    assert not isinstance(found, np.memmap)
