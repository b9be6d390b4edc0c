"""The bounds within which the numbers of every skill lie: its weights, and the spread of its exploration.

Finite is not enough: a network of weights near 3e38 overflows, and a robot told to explore with a deviation
of twice its range goes from one end to the other. What lies outside is refused in a file that comes from
elsewhere (`skills.skill`); what a merge makes is brought back inside (`hub.workers.merge_round`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skills.container import Tensors, check_finite, pieces
from skills.errors import ArtefactError

__all__ = ["LOG_STD", "WEIGHT_LIMIT", "bounded", "check_bounded"]

WEIGHT_LIMIT = 1e6
"""Largest size of a weight: a thousand times what training reaches, and far below where sums overflow."""

LOG_STD = (-5.0, 0.0)
"""Least and greatest logarithm of the exploration's standard deviation; actions lie in [-1, 1]."""


def check_bounded(tensors: Tensors, what: str) -> None:
    """Refuse NaN, infinity and weights beyond `WEIGHT_LIMIT`.

    Raises:
        ArtefactError: Names the first tensor with such a number.
    """
    for name, tensor in tensors.items():
        if all(_within(piece) for piece in pieces(tensor)):
            continue
        check_finite({name: tensor}, what)
        raise ArtefactError(
            f"the {what} has a number beyond {WEIGHT_LIMIT:g}.",
            where=name,
            remedy="Training diverged: lower the learning rate and train again.",
            code="out_of_bounds",
        )


def bounded(name: str, numbers: NDArray[Any]) -> NDArray[Any]:
    """Numbers of a tensor, each brought to the nearest bound where it lies outside."""
    low, high = LOG_STD if name == "log_std" else (-WEIGHT_LIMIT, WEIGHT_LIMIT)
    clipped: NDArray[Any] = np.clip(numbers, low, high)
    return clipped


def _within(numbers: NDArray[Any]) -> bool:
    # NaN is the least and the greatest of its numbers, and within nothing.
    return not numbers.size or bool(numbers.min() >= -WEIGHT_LIMIT and numbers.max() <= WEIGHT_LIMIT)
