"""A sequential test on pairs of episodes: is a candidate worse than its reference by a margin, or not?

Both face the same jobs, and of each job only the difference counts: D = 1 where the candidate alone
succeeds, -1 where the reference alone does, else 0. Against "D is -m or less on average" it bets the share l
of what it has on each pair (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by
betting", sections 3 and 4):

    W(l) = product of 1 + l (D + m),   0 <= l < 1 / (1 - m)

If the candidate is worse by m or more, no factor has a mean above 1, so W is a non-negative supermartingale,
and by Ville's inequality it ever reaches 1/alpha with probability alpha at most: whenever one looks, and
however often. So is the mean over several l. It depends on the counts alone, hence not on the order of the
pairs. Jobs need not be alike: where each batch has equally many of each workshop and robot, the product of
their means is at most 1, too, since a product is largest where its factors are equal. To play such batches is
`hub.workers.gate`'s. Neither numpy nor scipy has such a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Limits",
    "Pairs",
    "Verdict",
    "log_evidence",
    "log_gains",
    "mixed",
    "unseen",
    "verdict",
    "verdict_but_one",
    "verdicts",
]

Verdict = Literal["not worse", "worse", "open"]

BETS = np.array([0.15, 0.27, 0.5, 0.9])
"""Shares of the largest bet: small where many pairs differ, large where hardly one does."""
STEP, LARGEST = 0.001, 0.999
NOT_WORSE, OPEN, WORSE = 1, 0, -1


@dataclass(frozen=True)
class Pairs:
    """Jobs that both faced.

    Attributes:
        wins: In which the candidate alone succeeded.
        losses: In which the reference alone did.
        jobs: All.
    """

    wins: int
    losses: int
    jobs: int


@dataclass(frozen=True)
class Limits:
    """What is asked of the pairs.

    Attributes:
        margin: A candidate that is so much worse is taken for not worse with probability `alpha` at most.
        arm_margin: The same of each arm.
        alpha: See `margin`.
        power: One that is as good everywhere is taken for worse with probability `1 - power` at most: half
            of that is for all arms together, the other half is shared by them.
    """

    margin: float
    arm_margin: float
    alpha: float
    power: float


def log_gains(wins: ArrayLike, losses: ArrayLike, jobs: ArrayLike, margin: ArrayLike) -> NDArray[Any]:
    """Logarithm of what each bet has made of 1, against "worse by `margin` or more"; sums over pairs.

    Args:
        wins: Jobs in which the candidate alone succeeded, any shape.
        losses: In which the reference alone did, the same shape.
        jobs: All, the same shape.
        margin: From 0 to below 1, the same shape or one for all.

    Returns:
        The same shape, and a last axis of the bets.
    """
    won, lost, both = (np.asarray(each)[..., None] for each in (wins, losses, jobs))
    allowed = np.minimum(np.asarray(margin), LARGEST)[..., None]
    bets = BETS / (1 - allowed)
    gained = won * np.log1p(bets * (1 + allowed)) + lost * np.log1p(-BETS)
    found: NDArray[Any] = gained + (both - won - lost) * np.log1p(bets * allowed)
    return found


def mixed(gains: NDArray[Any]) -> NDArray[Any]:
    """Logarithm of the mean of all bets, the last axis."""
    found: NDArray[Any] = np.logaddexp.reduce(gains, axis=-1) - np.log(len(BETS))
    return found


def log_evidence(wins: ArrayLike, losses: ArrayLike, jobs: ArrayLike, margin: ArrayLike) -> NDArray[Any]:
    """Logarithm of the evidence (an e-value) that the candidate is not worse by `margin` or more.

    Args:
        wins: See `log_gains`.
        losses: The same.
        jobs: The same.
        margin: The same; of 1 there is nothing to show, for nobody is worse.
    """
    return np.where(np.asarray(margin) < 1, mixed(log_gains(wins, losses, jobs, margin)), np.inf)


def verdicts(
    wins: NDArray[Any], losses: NDArray[Any], jobs: NDArray[Any], limits: Limits
) -> NDArray[np.int_]:
    """1 where the candidate is not worse, -1 where it is, 0 where that is open: of many gates at once, (...).

    Args:
        wins: Of each arm, (..., arms).
        losses: The same.
        jobs: The same.
        limits: What is asked.
    """
    arms, miss = wins.shape[-1], (1 - limits.power) / 2
    total = wins.sum(-1), losses.sum(-1), jobs.sum(-1)
    enough = -np.log(limits.alpha)
    good = log_evidence(*total, limits.margin) >= enough
    good &= (log_evidence(wins, losses, jobs, limits.arm_margin) >= enough).all(-1)
    # Wins and losses change places: evidence that the reference is better.
    bad = log_evidence(total[1], total[0], total[2], 0.0) >= -np.log(miss)
    bad |= (log_evidence(losses, wins, jobs, 0.0) >= np.log(arms / miss)).any(-1)
    return np.where(good, NOT_WORSE, np.where(bad, WORSE, OPEN))


def verdict(pairs: Mapping[str, Pairs], limits: Limits) -> Verdict:
    """What the pairs of all arms say by now."""
    counts = [
        np.array(each) for each in zip(*((p.wins, p.losses, p.jobs) for p in pairs.values()), strict=True)
    ]
    found = int(verdicts(counts[0], counts[1], counts[2], limits))
    return "not worse" if found == NOT_WORSE else "worse" if found == WORSE else "open"


def verdict_but_one(pairs: Mapping[str, Pairs], limits: Limits, *, last: bool) -> tuple[Verdict, str]:
    """What the pairs say where one arm may be left out; and that arm, where it is "not worse" without it.

    Which arm that is the pairs decide, so `alpha` is shared: half of it is for all arms together, the other
    half for each choice of the others (a mean of e-values is one, too). So whatever is worse by the margin,
    however it is cut, is taken for not worse with probability `alpha` at most.

    Args:
        pairs: By arm.
        limits: What is asked.
        last: Whether no more pairs come: an arm is left out earlier only where the pairs say "worse".
    """
    if len(pairs) < 2:
        return verdict(pairs, limits), ""
    whole = verdict(pairs, replace(limits, alpha=limits.alpha / 2))
    if whole == "not worse" or (whole == "open" and not last):
        return whole, ""
    weak = max(sorted(pairs), key=lambda arm: (pairs[arm].losses - pairs[arm].wins) / pairs[arm].jobs)
    others = {arm: each for arm, each in pairs.items() if arm != weak}
    found = verdict(others, replace(limits, alpha=limits.alpha / (2 * len(pairs))))
    return found, weak if found == "not worse" else ""


def unseen(pairs: Pairs, alpha: float) -> float:
    """The largest loss that the pairs leave possible: a greater one they exclude but for probability `alpha`.

    At any time: the end of a confidence sequence, the margins that are not refused. From 0 to 1, rounded up
    to a thousandth.
    """
    margins = STEP * np.arange(1 + round(1 / STEP))
    possible = log_evidence(pairs.wins, pairs.losses, pairs.jobs, margins) < -np.log(alpha)
    above = int(np.flatnonzero(possible)[-1]) + 1 if possible.any() else 0
    return round(float(margins[above]), 3)
