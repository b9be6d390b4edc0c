"""Laws of every rule, over numbers that break careless code: ties, denormals, 1e30, and all of float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from hub.merging import MergeError, make_chain, merge, merge_arrays
from hub.merging.cpu import CpuEngine
from hub.merging.rules import RULES
from hub.merging.stack import CHUNK
from tests.hub.merging import reference
from tests.hub.merging.samples import largest_settings, matrix_updates

Rows = NDArray[Any]

BETWEEN = ("mean", "median", "trimmed-mean", "krum", "multi-krum", "bulyan", "geometric-median", "mda")
"""Rules that never leave the range of their inputs, coordinate by coordinate."""
LINEAGES = ("task-arithmetic", "ties", "dare")
ALL = sorted(RULES.keys() - {"fltrust"})
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "trimmed-mean": [{"trim": 0.0}, {"trim": 0.25}],
    "task-arithmetic": [{"scale": 0.4}, {"scale": 5.0}],
    "ties": [{"scale": 1.0}, {"scale": 5.0, "density": 1.0}],
    "dare": [{"drop": 0.9}, {"drop": 0.0, "scale": 5.0}],
}
SORTING = ("median", "trimmed-mean")

laws = settings(max_examples=20, deadline=None)
singles = st.floats(-(2.0**100), 2.0**100, width=32)  # about 1e30; denormals and both zeros are among them
doubles = st.floats(allow_nan=False, allow_infinity=False)
squarable = st.floats(1e-140, 1e140) | st.floats(-1e140, -1e-140) | st.just(0.0)


def matrices(dtype: type[np.floating[Any]], numbers: st.SearchStrategy[float], least: int = 1) -> Any:
    """Up to nine updates of four numbers; Hypothesis likes equal ones, so ties are common."""
    return hnp.arrays(dtype, st.tuples(st.integers(least, 9), st.just(4)), elements=numbers)


def merged(rows: Rows, weights: list[float] | None = None, *, rule: str, **options: Any) -> Rows:
    return merge_arrays(matrix_updates(rows), weights, rule=rule, **options)["w"]


def options_for(rule: str, count: int) -> dict[str, Any]:
    found = largest_settings(rule, count)
    return {"byzantine": 0} if found is None else found


def random_rows(seed: int, count: int, size: int = 6) -> Rows:
    return np.random.default_rng(seed).standard_normal((count, size))


@laws
@pytest.mark.parametrize("rule", BETWEEN)
@given(rows=matrices(np.float32, singles, least=3))
def test_a_merge_lies_between_its_inputs(rule: str, rows: Rows) -> None:
    found = merged(rows, rule=rule, **options_for(rule, len(rows)))
    assert found.dtype == np.float32
    assert (found >= rows.min(axis=0)).all()
    assert (found <= rows.max(axis=0)).all()


@laws
@pytest.mark.parametrize("rule", ALL)
@given(rows=matrices(np.float64, doubles, least=3))
def test_finite_updates_never_make_a_number_that_is_not(rule: str, rows: Rows) -> None:
    try:
        found = merged(rows, rule=rule, **options_for(rule, len(rows)))
    except MergeError:  # lengths beyond 1e150, whose squares overflow
        assert make_chain(rule, options_for(rule, len(rows))).needs_gram
        assert np.abs(rows).max() > 1e150
        return
    assert np.isfinite(found).all()


@laws
@given(rows=matrices(np.float32, singles, least=3))
def test_krum_returns_one_of_its_inputs_bit_for_bit(rows: Rows) -> None:
    found = merged(rows, rule="krum", **options_for("krum", len(rows)))
    assert (found == rows).all(axis=1).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rule", ["mean", "median", "trimmed-mean", "task-arithmetic", "ties", "dare"])
def test_sums_of_the_greatest_numbers_do_not_overflow(rule: str, dtype: type[np.floating[Any]]) -> None:
    greatest = np.finfo(dtype).max
    shares = np.array([[1, 1, -1, 1], [0.75, 1, -1, -1], [0.5, 1, -1, 1], [0.6, 1, -1, 0.9]])
    rows = (shares * np.float64(greatest)).astype(dtype)
    for count in (2, 3, 4):
        for options in VARIANTS.get(rule, [{}]):
            found = merged(rows[:count], rule=rule, **options)
            assert np.isfinite(found).all()
            # Of float64 numbers that add up to more than the greatest, only the mean promises more than that.
            if rule == "mean" or (rule in SORTING and dtype is np.float32):
                want = reference.merge(matrix_updates(shares[:count]), rule=rule, **options)["w"]
                np.testing.assert_allclose(found / np.float64(greatest), want, rtol=0, atol=1e-6)


@laws
@pytest.mark.parametrize("rule", sorted({*ALL} - {*LINEAGES}))
@given(row=hnp.arrays(np.float32, 4, elements=singles), count=st.integers(3, 9))
def test_copies_of_one_update_merge_to_it_bit_for_bit(rule: str, row: Rows, count: int) -> None:
    found = merged(np.tile(row, (count, 1)), rule=rule, **options_for(rule, count))
    assert found.tobytes() == row.tobytes() or (found == row).all()


@laws
@pytest.mark.parametrize("rule", sorted({*ALL} - {*LINEAGES, "krum", "multi-krum", "bulyan"}))
@given(row=hnp.arrays(np.float64, 4, elements=squarable), weight=st.floats(1e-300, 1e300))
def test_one_update_merges_to_itself(rule: str, row: Rows, weight: float) -> None:
    assert (merged(row[None], [weight], rule=rule, **options_for(rule, 1)) == row).all()


@laws
@pytest.mark.parametrize("rule", ALL)
@given(seed=st.integers(0, 2**32), count=st.integers(3, 12), data=st.data())
def test_order_does_not_matter(rule: str, seed: int, count: int, data: st.DataObject) -> None:
    rows, weights = random_rows(seed, count), random_rows(seed + 1, count, 1)[:, 0] ** 2 + 0.01
    order = data.draw(st.permutations(range(count)))
    options = options_for(rule, count)
    found = merged(rows, weights.tolist(), rule=rule, **options)
    shuffled = merged(rows[order], weights[order].tolist(), rule=rule, **options)
    np.testing.assert_allclose(shuffled, found, rtol=0, atol=1e-9)


@laws
@pytest.mark.parametrize("rule", SORTING)
@given(rows=matrices(np.float64, doubles), data=st.data())
def test_order_changes_no_bit_where_numbers_are_sorted(rule: str, rows: Rows, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    options = options_for(rule, len(rows))
    assert (merged(rows[order], rule=rule, **options) == merged(rows, rule=rule, **options)).all()


@laws
@pytest.mark.parametrize("rule", ALL)
@given(seed=st.integers(0, 2**32), there=st.lists(st.booleans(), min_size=1, max_size=6))
def test_an_update_of_weight_zero_is_not_there(rule: str, seed: int, there: list[bool]) -> None:
    rows, weights = random_rows(seed, 5), [1.0, 2.0, 3.0, 4.0, 5.0]
    options = options_for(rule, 5)
    alone = merged(rows, weights, rule=rule, **options)
    for place, sane in enumerate(there):
        extra = rows[0] * 1e6 if sane else np.full(6, np.nan)
        rows, weights = np.insert(rows, place, extra, axis=0), [*weights[:place], 0.0, *weights[place:]]
    assert merged(rows, weights, rule=rule, **options).tobytes() == alone.tobytes()


@laws
@pytest.mark.parametrize("rule", ["mean", "geometric-median"])
@given(seed=st.integers(0, 2**32), copies=st.lists(st.integers(1, 3), min_size=3, max_size=6))
def test_a_copy_counts_as_much_as_weight(rule: str, seed: int, copies: list[int]) -> None:
    rows = random_rows(seed, len(copies))
    weighted = merged(rows, [float(n) for n in copies], rule=rule)
    np.testing.assert_allclose(
        merged(np.repeat(rows, copies, axis=0), rule=rule), weighted, rtol=0, atol=1e-5
    )


@laws
@pytest.mark.parametrize("rule", SORTING)
@given(rows=matrices(np.float32, singles))
def test_doubling_every_update_changes_no_rank(rule: str, rows: Rows) -> None:
    twice = merged(np.concatenate([rows, rows]), rule=rule, **options_for(rule, 2 * len(rows)))
    if rule == "median":
        assert (twice == merged(rows, rule=rule)).all()
    assert (twice >= rows.min(axis=0)).all()
    assert (twice <= rows.max(axis=0)).all()


@laws
@pytest.mark.parametrize("rule", sorted({*ALL} - {"dare"}))
@given(seed=st.integers(0, 2**32), count=st.integers(3, 12), power=st.integers(-60, 60))
def test_no_number_in_a_rule_has_a_unit(rule: str, seed: int, count: int, power: int) -> None:
    """Updates times a power of two merge to the result times it, bit for bit: no epsilon is absolute."""
    rows, options = random_rows(seed, count), options_for(rule, count)
    found = merged(rows * 2.0**power, rule=rule, **options)
    assert (found == 2.0**power * merged(rows, rule=rule, **options)).all()


@laws
@pytest.mark.parametrize("rule", BETWEEN)
@given(seed=st.integers(0, 2**32), count=st.integers(3, 12), step=st.floats(-1e3, 1e3))
def test_moving_every_update_moves_the_merge(rule: str, seed: int, count: int, step: float) -> None:
    rows, options = random_rows(seed, count), options_for(rule, count)
    moved = merged(rows + step, rule=rule, **options)
    # Distances from a Gram matrix keep half the digits of the vectors' lengths.
    slack = 1e-9 + (1e-6 * abs(step) if rule == "geometric-median" else 0)
    np.testing.assert_allclose(moved, merged(rows, rule=rule, **options) + step, rtol=0, atol=slack)


@pytest.mark.parametrize("rule", ALL)
def test_inputs_are_left_alone_and_results_are_new(rule: str, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((9, 700)).astype(np.float32)
    updates = [{"w": row, "b": row[:3], "nothing": row[:0]} for row in rows]
    before = rows.tobytes()
    found = merge_arrays(updates, rule=rule, **options_for(rule, 9))
    assert not any(np.shares_memory(tensor, rows) for tensor in found.values())
    for tensor in found.values():
        tensor[...] = 1
    assert rows.tobytes() == before


@pytest.mark.parametrize("rule", ALL)
def test_the_number_of_threads_changes_no_bit(rule: str, rng: np.random.Generator) -> None:
    rows = rng.standard_normal((7, CHUNK + 300)).astype(np.float32)
    chain = make_chain(rule, options_for(rule, 7))
    found = [
        merge(matrix_updates(rows), None, chain, engine=CpuEngine(threads)).tensors["w"].tobytes()
        for threads in (1, 2, 5)
    ]
    assert found[0] == found[1] == found[2]
