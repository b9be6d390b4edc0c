"""Rules that look for a centre of all updates as whole vectors: geometric median and centred clipping.

Every point they visit is a weighted sum of the updates, so they move in the space of its factors, where the
Gram matrix G gives all lengths: |x_i - z|^2 = G_ii - 2 (G c)_i + c'G c for z = sum of c_i x_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hub.merging.combination import WeightedSum
from hub.merging.rules.rule import Card, Facts, Rule, check_byzantine, check_count, check_option

__all__ = ["CentredClipping", "GeometricMedian"]

LAST_CHANGE = 1e-10  # of each factor relative to itself, where the search for the geometric median stops
SMALLEST_FLOOR = 1e-150  # where more than half of the updates are the same


@dataclass(frozen=True)
class GeometricMedian(Rule):
    """The point with the least weighted sum of distances, by Weiszfeld's iteration on the whole vector.

    Distances below `smoothing` times the spread count as that: a point on top of an update is no pole.
    The spread is the median distance from the medoid: less than half of the updates cannot stretch it.
    """

    smoothing: float = 1e-6
    iterations: int = 1000
    byzantine: int = 0

    card: ClassVar = Card(
        formula="argmin over z of Σ wᵢ |xᵢ - z|, smoothed",
        source="Pillutla, Kakade and Harchaoui 2022 (RFA), algorithm 2; Weiszfeld 1937",
        reads=2,
        cost="n²/2",
        survives="f < n/2, weights equal",
        weights=True,
    )
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_option(
            holds=0 < self.smoothing < 1, option="smoothing", value=self.smoothing, bounds="0 < smoothing < 1"
        )
        check_option(
            holds=self.iterations >= 1, option="iterations", value=self.iterations, bounds="1 or more"
        )
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """More good updates than bad ones."""
        check_count("geometric-median", count, self.byzantine, 2 * self.byzantine + 1)

    def solve(self, facts: Facts) -> WeightedSum:
        """From the mean, weigh each update by the inverse of its distance until nothing changes."""
        factors = facts.weights
        floor = max(self.smoothing * _spread(facts), SMALLEST_FLOOR)
        for _ in range(self.iterations):
            nearness = facts.weights / np.maximum(_distances(facts.inner(), factors), floor)
            before, factors = factors, nearness / nearness.sum()
            if (np.abs(factors - before) <= LAST_CHANGE * before).all():
                break
        return WeightedSum(_rounded(factors) @ facts.transform)


@dataclass(frozen=True)
class CentredClipping(Rule):
    """From zero, move repeatedly by the mean of the differences to the updates, each clipped to `radius`.

    Zero is the base that all robots started from. `radius` None: the median norm of the updates.
    """

    radius: float | None = None
    iterations: int = 5
    byzantine: int = 0

    card: ClassVar = Card(
        formula="v ← v + (1/n) Σ (xᵢ - v)·min(1, radius/|xᵢ - v|), from v = 0",
        source="Karimireddy, He and Jaggi 2021, algorithm 2",
        reads=2,
        cost="n²/2",
        survives="f ≤ n/10 proven; bounded pull f·radius/n a step beyond, f < n/2",
        weights=False,
    )
    needs_gram: ClassVar = True

    def __post_init__(self) -> None:
        check_option(
            holds=self.radius is None or self.radius > 0,
            option="radius",
            value=self.radius,
            bounds="radius > 0",
        )
        check_option(
            holds=self.iterations >= 1, option="iterations", value=self.iterations, bounds="1 or more"
        )
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """More good updates than bad ones."""
        check_count("centred-clipping", count, self.byzantine, 2 * self.byzantine + 1)

    def solve(self, facts: Facts) -> WeightedSum:
        """The steps, as factors: v = sum of c_i x_i becomes (1 - mean share) v + sum of share_i x_i / n."""
        gram = facts.inner()
        radius = self.radius or float(np.median(np.sqrt(np.maximum(np.diag(gram), 0))))
        factors = np.zeros(len(gram))
        for _ in range(self.iterations):
            distances = _distances(gram, factors)
            shares = radius / np.maximum(distances, radius) if radius > 0 else np.ones(len(gram))
            factors = (1 - shares.mean()) * factors + shares / len(shares)
        return WeightedSum(_rounded(factors) @ facts.transform)


def _distances(gram: NDArray[np.float64], factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) distances of the updates from the point with these factors."""
    towards = gram @ factors
    return np.sqrt(np.maximum(np.diag(gram) - 2 * towards + factors @ towards, 0.0))


def _spread(facts: Facts) -> float:
    distances = np.sqrt(facts.squared_distances())
    medoid = int((distances @ facts.weights).argmin())
    return float(np.median(distances[medoid]))


def _rounded(factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """To 40 bits: what another device's order of additions changed in the Gram matrix does not show."""
    mantissas, exponents = np.frexp(factors)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissas, 40)), exponents - 40))
