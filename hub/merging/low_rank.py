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
    """A matrix as the product of (rows, terms) and (terms, columns), never made as a whole."""

    left: Array
    right: Array

    def numbers(self, here: slice) -> Array:
        """These numbers of the flattened matrix."""
        columns = self.right.shape[1]
        first, last = here.start // columns, min(-(-here.stop // columns), len(self.left))
        found = np.zeros((last - first, columns))
        rows = max(1, AT_ONCE // columns)
        term = np.empty((rows, columns))
        for start in range(0, len(found), rows):
            block = found[start : start + rows]
            left = self.left[first + start : first + start + len(block)]
            for number, right in enumerate(self.right):
                block += np.multiply(left[:, number, None], right, out=term[: len(block)])
        return found.reshape(-1)[here.start - first * columns : here.stop - first * columns]


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
        """Sum of weight * update; updates without a weight are left out."""
        counted = [(w * b, a) for w, (b, a) in zip(weights, self.factors, strict=True) if w]
        rows, columns = len(self.factors[0][0]), self.factors[0][1].shape[1]
        return Fold(
            np.concatenate([np.zeros((rows, 0)), *(left for left, _ in counted)], axis=1),
            np.concatenate([np.zeros((0, columns)), *(right for _, right in counted)], axis=0),
        )
