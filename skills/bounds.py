"""The bounds within which the numbers of every skill lie: weights, the spread of its exploration, moments.

Finite is not enough: a network of weights near 3e38 overflows, a robot told to explore with a deviation
of twice its range goes from one end to the other, and a moment's root below zero is none. What lies outside
is refused in a file that comes from elsewhere (`skills.skill`); what a merge makes is brought back inside
(`hub.workers.candidate_files`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.container import Tensors, check_finite, pieces
from skills.errors import ArtefactError
from skills.parts import part_of

__all__ = ["LOG_STD", "WEIGHT_LIMIT", "bounded", "check_bounded"]

WEIGHT_LIMIT = 1e6
"""Largest size of a weight: a thousand times what training reaches, and far below where sums overflow."""

LOG_STD = (-5.0, 0.0)
"""Least and greatest logarithm of the exploration's standard deviation; actions lie in [-1, 1]."""


def check_bounded(tensors: Tensors, what: str) -> None:
    """Refuse NaN, infinity, weights beyond `WEIGHT_LIMIT`, and roots of second moments below 0.

    Raises:
        ArtefactError: Names the first tensor with such a number.
    """
    for name, tensor in tensors.items():
        least = _least(name)
        if all(_within(piece, least) for piece in pieces(tensor)):
            continue
        check_finite({name: tensor}, what)
        raise ArtefactError(
            f"the {what} has a number beyond {WEIGHT_LIMIT:g}" + (" or below 0." if least == 0 else "."),
            where=name,
            remedy="Training diverged: lower the learning rate and train again.",
            code="out_of_bounds",
        )


def bounded(name: str, numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers of a tensor, each brought to the nearest bound where it lies outside."""
    low, high = LOG_STD if name == "log_std" else (_least(name), WEIGHT_LIMIT)
    clipped: NDArray[Any] = np.clip(numbers, low, high)
    return clipped


def _least(name: str) -> float:
    return 0.0 if part_of(name) == "second" else -WEIGHT_LIMIT


def _within(numbers: NDArray[Any], least: float) -> bool:
    # NaN is the least and the greatest of its numbers, and within nothing.
    return not numbers.size or bool(numbers.min() >= least and numbers.max() <= WEIGHT_LIMIT)
