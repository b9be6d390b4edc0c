"""What is usual for a kind of machine, of its robots' sums; which there are is `hub.health.book`'s. Pure.

A robot counts for so many jobs at most, and one whose jobs vary far more or less than those of the others is
left out: it is worn, or it lies. Too few robots give nothing: sums of two are the other one's secret.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skills.health import Sums

__all__ = ["merge_usual"]

MOST_JOBS = 1000
FEWEST_JOBS = 10
ODD = 6.0
"""A robot whose jobs vary so many times more or less, in variance of the median robot, is left out."""


def merge_usual(robots: Sequence[Sums], least: int) -> tuple[Sums, int] | None:
    """Merged sums, and of how many robots; None where fewer than `least` are left.

    Args:
        robots: In a fixed order, so that the same sums give the same bits.
        least: How many robots must be in it.
    """
    told = [each.at_most(MOST_JOBS) for each in robots if each.count >= FEWEST_JOBS]
    if len(told) < least:
        return None
    variances = np.array([np.diag(each.covariance) for each in told])
    middle = np.median(variances, axis=0)
    shares = variances / np.where(middle > 0, middle, 1.0)
    spread = np.median(shares[:, middle > 0], axis=1) if (middle > 0).any() else np.ones(len(told))
    highest = shares.max(axis=1)
    kept = [
        each
        for each, share, most in zip(told, spread, highest, strict=True)
        if 1 / ODD <= share <= ODD and most <= ODD**2
    ]
    if len(kept) < least:
        return None
    merged = kept[0]
    for each in kept[1:]:
        merged = merged.merged(each)
    return merged, len(kept)
