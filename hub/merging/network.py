"""Sorting networks: which pairs to compare and exchange so that given ranks end up in their places.

Batcher's odd-even merge sort for any number of inputs (Knuth, The Art of Computer Programming, volume 3,
section 5.2.2, algorithm M), without the exchanges that the wanted ranks do not depend on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["sorting_network"]


@lru_cache(maxsize=256)
def sorting_network(count: int, low: int, high: int) -> NDArray[np.int64]:
    """Pairs (lower, upper), (exchanges, 2), that bring the ranks low..high-1 of `count` inputs into place."""
    wanted = set(range(low, high))
    kept = []
    for pair in reversed(_exchanges(count)):
        if wanted.intersection(pair):
            wanted.update(pair)
            kept.append(pair)
    return np.array(kept[::-1], np.int64).reshape(-1, 2)


def _exchanges(count: int) -> list[tuple[int, int]]:
    pairs = []
    top = 1 << max(0, (count - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, distance = top, 0, p
        while True:
            pairs += [(i, i + distance) for i in range(count - distance) if i & p == r]
            if q == p:
                break
            distance, q, r = q - p, q // 2, p
        p //= 2
    return pairs
