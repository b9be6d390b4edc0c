"""What an engine computes in its last pass: few kinds of combination, each a plain description.

A rule's `solve` chooses one and fills in the numbers; `hub.merging.cpu` and `hub.merging.device` know how
to compute it. Rows and factors refer to the stack's updates in their order; P is the number of weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Combination", "DroppedSum", "NearMedianMean", "SignElection", "SortedMean", "WeightedSum"]

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class WeightedSum:
    """Sum over updates of factor * update; `factors` has one number for each update."""

    factors: Vector

    def scaled(self, factor: float) -> WeightedSum:
        """`factor` times this."""
        return replace(self, factors=factor * self.factors)


@dataclass(frozen=True)
class SortedMean:
    """Of each coordinate of `rows @ updates`, the mean of the ranks low..high-1, counted from the smallest.

    `rows` is (m, updates): unit rows select, others mix.
    """

    rows: Matrix
    low: int
    high: int

    def scaled(self, factor: float) -> SortedMean:
        """`factor` times this."""
        return replace(self, rows=factor * self.rows)


@dataclass(frozen=True)
class NearMedianMean:
    """Of each coordinate of `rows @ updates`, the mean of the `count` numbers nearest its median."""

    rows: Matrix
    count: int

    def scaled(self, factor: float) -> NearMedianMean:
        """`factor` times this."""
        return replace(self, rows=factor * self.rows)


@dataclass(frozen=True)
class SignElection:
    """TIES: numbers below their update's threshold are 0; of the rest those of the heavier sign are averaged.

    Update i is multiplied by `stretch[i]` after that and weighed by `weights[i]`, the result by `scale`.
    """

    weights: Vector
    stretch: Vector
    thresholds: Vector
    scale: float

    def scaled(self, factor: float) -> SignElection:
        """`factor` times this."""
        return replace(self, stretch=factor * self.stretch)


@dataclass(frozen=True)
class DroppedSum:
    """DARE: sum of factor * update, each number left out with probability limit / 2^64.

    Which ones follows from the update's key and the place alone, so every engine drops the same.
    """

    factors: Vector
    keys: NDArray[np.uint64]
    limit: np.uint64

    def scaled(self, factor: float) -> DroppedSum:
        """`factor` times this."""
        return replace(self, factors=factor * self.factors)


Combination = WeightedSum | SortedMean | NearMedianMean | SignElection | DroppedSum
