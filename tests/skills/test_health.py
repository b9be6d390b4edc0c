"""Sums merge to the flat result in any order and split; distances and CUSUM keep what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skills.health import (
    Cusum,
    Sums,
    alarm_limit,
    distances,
    precision_of,
    shrunk_covariance,
)


@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.lists(st.integers(0, 20), min_size=1, max_size=12),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
    offset=st.sampled_from([0.0, 1e3, -1e6]),
)
def test_any_split_in_any_order_gives_the_flat_sums(
    seed: int, sizes: list[int], scale: float, offset: float
) -> None:
    random = np.random.default_rng(seed)
    jobs = random.normal(offset, scale, (sum(sizes), 4)) if sum(sizes) else np.zeros((0, 4))
    parts = np.split(jobs, np.cumsum(sizes)[:-1])
    merged = Sums.none(4)
    for each in random.permutation(len(parts)):
        merged = merged.merged(Sums.of(parts[each]))
    flat = Sums.of(jobs)
    assert merged.count == flat.count
    # float64 rounding of numbers as large as these, not of what is left of them after a subtraction
    largest = abs(offset) + 6 * scale
    np.testing.assert_allclose(merged.mean, flat.mean, atol=1e-14 * largest * len(sizes))
    bound = 1e-14 * (len(jobs) + 1) * len(sizes) * (scale * 6 + 1e-2 * largest) * largest
    np.testing.assert_allclose(merged.scatter, flat.scatter, atol=bound)


@given(seed=st.integers(0, 2**32 - 1))
def test_a_tree_of_merges_is_the_chain(seed: int) -> None:
    parts = [Sums.of(np.random.default_rng([seed, n]).normal(size=(n + 1, 3))) for n in range(4)]
    chain = parts[0].merged(parts[1]).merged(parts[2]).merged(parts[3])
    tree = parts[3].merged(parts[1]).merged(parts[0].merged(parts[2]))
    np.testing.assert_allclose(chain.scatter, tree.scatter, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(chain.mean, tree.mean, rtol=1e-12, atol=1e-12)


def test_a_limited_weight_leaves_mean_and_covariance() -> None:
    many = Sums.of(np.random.default_rng(0).normal(size=(50, 3)))
    few = many.at_most(10)
    assert few.count == 10
    np.testing.assert_allclose(few.covariance, many.covariance)
    assert many.at_most(50) is many


def test_distances_are_in_standard_deviations_whatever_the_units_and_correlations() -> None:
    random = np.random.default_rng(1)
    mix = np.array([[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 300.0, 1e3]])
    jobs = random.normal(size=(4000, 3)) @ mix.T
    sums = Sums.of(jobs)
    found = distances(jobs, sums.mean, precision_of(sums.covariance), home=10**9)
    assert np.mean(found**2) == pytest.approx(3, rel=0.01)
    means = jobs.reshape(-1, 5, 3).mean(axis=1)
    together = distances(means, sums.mean, precision_of(sums.covariance), home=10**9, together=5)
    assert np.mean(together**2) == pytest.approx(3, rel=0.1)


def test_a_figure_that_never_varied_counts_for_nothing() -> None:
    jobs = np.column_stack([np.random.default_rng(2).normal(size=30), np.ones(30)])
    precision = precision_of(Sums.of(jobs).covariance)
    assert distances(np.array([[0.0, 9.0]]), np.zeros(2), precision, home=30)[0] == 0.0


def test_few_jobs_are_shrunk_to_something_that_has_an_inverse() -> None:
    jobs = np.random.default_rng(3).normal(size=(10, 14)) * np.geomspace(1e-3, 1e3, 14)
    assert np.linalg.matrix_rank(np.cov(jobs.T)) < 14
    shrunk = shrunk_covariance(jobs)
    np.testing.assert_allclose(np.diag(shrunk), jobs.var(axis=0, ddof=1), rtol=0.35)
    assert np.isfinite(precision_of(shrunk)).all()


def test_the_limit_keeps_its_promise_on_other_machines_and_the_cusum_finds_a_shift() -> None:
    size, home, runs = 6, 30, 60
    limit, precision = alarm_limit(size, home, jobs=200, chance=0.1), np.eye(size)
    random, false, late = np.random.default_rng(4), 0, []
    for _ in range(runs):
        wrong = random.normal(0, home**-0.5, size)
        healthy = Cusum.begin(size)
        heights = []
        for _ in range(200):
            healthy = healthy.after(random.normal(size=size) + wrong, precision)
            heights.append(healthy.height)
        false += max(heights) > limit
        worn, jobs = Cusum.begin(size), 0
        while worn.height <= limit:
            worn = worn.after(random.normal(size=size) + wrong + 5.0 * np.eye(size)[0], precision)
            jobs += 1
        late.append(jobs)
    assert false <= 0.1 * runs + 3 * np.sqrt(0.09 * runs)
    assert np.mean(late) < 8


def test_what_is_forgiven_leaves_nothing_behind() -> None:
    cusum = Cusum.begin(2).after(np.array([1.0, 1.0]), np.eye(2))
    assert cusum.height == 0.0
    assert not cusum.state.any()
