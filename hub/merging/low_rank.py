"""Merging products of factors: what needs weights and distances alone, without making the products.

Averaging B and A apart is not the mean of B A, and neither is its best approximation of their rank, which
drops what robots do not have in common. So products are folded into the matrix exactly, some rows at a time:
sum of wi Bi Ai in float64, the terms in the order of the updates, whichever machine does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skills.low_rank import Factors, inner_products

__all__ = ["Fold", "Products"]

Array = NDArray[np.float64]

AT_ONCE = 2**15
"""Numbers of the product that are made side by side: they stay in a processor's cache."""


@dataclass(frozen=True)
class Fold:
    """A matrix as a sum of weight * B A, never made as a whole."""

    weights: Sequence[float]
    factors: Sequence[Factors]

    def numbers(self, here: slice) -> Array:
        """These numbers of the flattened matrix."""
        rows, columns = len(self.factors[0][0]), self.factors[0][1].shape[1]
        first, last = here.start // columns, min(-(-here.stop // columns), rows)
        found = np.zeros((last - first, columns))
        at_once = max(1, AT_ONCE // columns)
        term = np.empty((at_once, columns))
        for start in range(0, len(found), at_once):
            self._add(found[start : start + at_once], first + start, term)
        return found.reshape(-1)[here.start - first * columns : here.stop - first * columns]

    def _add(self, block: Array, start: int, term: Array) -> None:
        """Rows from `start`, with room for a term as large as a block."""
        for weight, (left, right) in zip(self.weights, self.factors, strict=True):
            if weight:
                scaled = weight * left[start : start + len(block)]
                for number, row in enumerate(right):
                    block += np.multiply(scaled[:, number, None], row, out=term[: len(block)])


@dataclass(frozen=True)
class Products:
    """One matrix of n updates; update i of it is B @ A of `factors[i]`."""

    factors: Sequence[Factors]

    def of(self, rows: Sequence[int]) -> Products:
        """Of these updates."""
        return Products([self.factors[row] for row in rows])

    def gram(self) -> Array:
        """(n, n) inner products of the updates' matrices."""
        return inner_products(self.factors)

    def fold(self, weights: Array) -> Fold:
        """Sum of weight * update."""
        return Fold(weights.tolist(), self.factors)
