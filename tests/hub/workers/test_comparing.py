"""Pairs and distances are counted as they are; what no pair says, the interval does not claim."""

from __future__ import annotations

import numpy as np
import pytest

from hub.workers.comparing import distance, paired


def test_pairs_are_counted_job_by_job() -> None:
    left = (True, True, False, False, True)
    right = (True, False, True, True, True)
    found = paired("ur5e", left, right)
    assert (found.jobs, found.left, found.right, found.wins, found.losses) == (5, 3, 4, 2, 1)
    assert found.difference == pytest.approx(0.2)
    assert found.low < found.difference < found.high


def test_the_interval_is_bonett_and_price_s() -> None:
    """By hand: 14 wins and 4 losses of 100 pairs; (15 - 5) / 102 and its half width."""
    found = paired("a", (False,) * 14 + (True,) * 86, (True,) * 14 + (False,) * 4 + (True,) * 82)
    assert (found.wins, found.losses) == (14, 4)
    half = 1.959963984540054 * (((15 + 5) / 102 - (10 / 102) ** 2) / 102) ** 0.5
    assert (found.low, found.high) == pytest.approx((10 / 102 - half, 10 / 102 + half))


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(7), 0
    for _ in range(400):
        drawn = rng.choice(3, size=128, p=[0.15, 0.05, 0.8])  # wins, losses, ties: a difference of 0.1
        found = paired("a", tuple(drawn == 1), tuple(drawn == 0))
        held += found.low <= 0.1 <= found.high
    assert held >= 0.93 * 400


def test_equal_versions_are_not_said_to_differ() -> None:
    found = paired("a", (True,) * 128, (True,) * 128)
    assert found.difference == 0
    assert -0.05 < found.low < 0 < found.high < 0.05


def test_distances_are_relative_to_the_earlier_version() -> None:
    left = {"a": np.array([3.0, 4.0]), "b": np.zeros(2), "gone": np.ones(1)}
    right = {"a": np.array([3.0, 4.0]), "b": np.array([0.0, 5.0]), "new": np.ones(3)}
    found = distance(left, right)
    assert found.relative == pytest.approx(1.0)
    assert [(each.name, each.relative) for each in found.largest] == [("b", 5.0), ("a", 0.0)]
    assert found.others == 2
    assert distance(left, left).relative == 0
