"""Rules that choose whole updates by their distances to each other: Krum and its descendants, and MDA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hub.merging.combination import NearMedianMean, WeightedSum
from hub.merging.rules.rule import Card, Facts, Rule, check_byzantine, check_count, check_option

__all__ = ["Bulyan", "Krum", "MinimumDiameter", "MultiKrum"]

LARGEST_SEARCH = 12
"""MDA looks at up to 2^byzantine subsets."""


@dataclass(frozen=True)
class Krum(Rule):
    """The one update whose n - f - 2 nearest neighbours are nearest."""

    byzantine: int

    card: ClassVar = Card(
        formula="the xᵢ with the least Σ |xᵢ - xⱼ|² over its n - f - 2 nearest xⱼ",
        source="Blanchard et al. 2017, section 4",
        reads=2,
        cost="n²/2",
        survives="f ≤ (n - 3)/2",
        weights=False,
    )
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """At least n = 2f + 3, the paper's proposition 4.2."""
        check_count("krum", count, self.byzantine, 2 * self.byzantine + 3)

    def solve(self, facts: Facts) -> WeightedSum:
        """All weight on the winner."""
        best = _by_krum_score(facts.squared_distances(), self.byzantine)[0]
        return WeightedSum(facts.transform[best].copy())


@dataclass(frozen=True)
class MultiKrum(Rule):
    """The mean of the `select` updates with the best Krum scores; None: n - f - 2 of them."""

    byzantine: int
    select: int | None = None

    card: ClassVar = Card(
        formula="mean of the m = n - f - 2 updates with the least Krum scores",
        source="Blanchard et al. 2017, section 5; m as Damaskinos et al. 2019 (AggregaThor)",
        reads=2,
        cost="n²/2",
        survives="f ≤ (n - 3)/2",
        weights=False,
    )
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_byzantine(self.byzantine)
        check_option(
            holds=self.select is None or self.select >= 1,
            option="select",
            value=self.select,
            bounds="1 or more",
        )

    def check(self, count: int) -> None:
        """At least n = 2f + 3, and at most the n - f good ones are selected."""
        check_count("multi-krum", count, self.byzantine, 2 * self.byzantine + 3)
        check_option(
            holds=(self.select or 1) <= count - self.byzantine,
            option="select",
            value=self.select,
            bounds=f"1 <= select <= updates - byzantine = {count - self.byzantine}",
        )

    def solve(self, facts: Facts) -> WeightedSum:
        """Equal weights on the selected."""
        order = _by_krum_score(facts.squared_distances(), self.byzantine)
        return _mean_of(facts, order[: self.select or len(order) - self.byzantine - 2])


@dataclass(frozen=True)
class Bulyan(Rule):
    """Krum chooses n - 2f updates one by one; of those, the n - 4f numbers nearest each median count."""

    byzantine: int

    card: ClassVar = Card(
        formula="θ = n - 2f updates by repeated Krum; mean of the θ - 2f numbers nearest each median",
        source="El Mhamdi et al. 2018, section 4",
        reads=2,
        cost="n²/2 + n log² n",
        survives="f ≤ (n - 3)/4",
        weights=False,
    )
    needs_numbers: ClassVar = True
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """At least n = 4f + 3."""
        check_count("bulyan", count, self.byzantine, 4 * self.byzantine + 3)

    def solve(self, facts: Facts) -> NearMedianMean:
        """Rows of the selected, and how many numbers are averaged."""
        distances = facts.squared_distances()
        left = list(range(len(distances)))
        chosen = []
        for _ in range(len(distances) - 2 * self.byzantine):
            order = _by_krum_score(distances[np.ix_(left, left)], self.byzantine)
            chosen.append(left.pop(int(order[0])))
        return NearMedianMean(facts.transform[sorted(chosen)], len(chosen) - 2 * self.byzantine)


@dataclass(frozen=True)
class MinimumDiameter(Rule):
    """MDA: the mean of the n - f updates whose greatest distance from each other is least; found exactly."""

    byzantine: int

    card: ClassVar = Card(
        formula="mean of the n - f updates with the least diameter max |xᵢ - xⱼ|",
        source="El Mhamdi et al. 2020, section 3.2, after Rousseeuw 1985",
        reads=2,
        cost="n²/2",
        survives=f"f < n/2, f ≤ {LARGEST_SEARCH}",
        weights=False,
    )
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_option(
            holds=0 <= self.byzantine <= LARGEST_SEARCH,
            option="byzantine",
            value=self.byzantine,
            bounds=f"0 to {LARGEST_SEARCH}: the exact search doubles with each",
        )

    def check(self, count: int) -> None:
        """More good updates than bad ones."""
        check_count("mda", count, self.byzantine, 2 * self.byzantine + 1)

    def solve(self, facts: Facts) -> WeightedSum:
        """Equal weights on the subset; of equally wide ones found, that with the least sum of squares."""
        distances = facts.squared_distances()
        subsets = _narrowing(distances, tuple(range(len(distances))), self.byzantine, set())
        best = min(subsets, key=lambda kept: _width(distances[np.ix_(kept, kept)]))
        return _mean_of(facts, np.array(best))


def _by_krum_score(distances: NDArray[np.float64], byzantine: int) -> NDArray[np.int64]:
    """Rows by the sum of their n - f - 2 smallest distances to others (one at least: Bulyan leaves few).

    Two rows that are each other's only neighbour have the same score; then the sum of all distances decides,
    so that the choice does not hang on the order of the updates.
    """
    neighbours = max(1, len(distances) - byzantine - 2)
    nearest = np.sort(distances, axis=1)
    return np.lexsort((nearest.sum(axis=1), nearest[:, 1 : neighbours + 1].sum(axis=1)))


def _mean_of(facts: Facts, chosen: NDArray[np.int64]) -> WeightedSum:
    return WeightedSum(facts.transform[np.sort(chosen)].sum(axis=0) / len(chosen))


def _narrowing(
    distances: NDArray[np.float64], kept: tuple[int, ...], budget: int, seen: set[tuple[int, ...]]
) -> Iterator[tuple[int, ...]]:
    """Subsets without `budget` members, among them a narrowest one.

    To narrow a set, one end of its widest pair must go: two choices at each step, 2^budget in all.
    """
    if kept in seen:
        return
    seen.add(kept)
    if budget == 0:
        yield kept
        return
    among = distances[np.ix_(kept, kept)]
    for end in np.unravel_index(int(among.argmax()), among.shape):
        rest = kept[: int(end)] + kept[int(end) + 1 :]
        yield from _narrowing(distances, rest, budget - 1, seen)


def _width(distances: NDArray[np.float64]) -> tuple[float, float]:
    return float(distances.max()), float(distances.sum())
