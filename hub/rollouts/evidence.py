"""What robots' claims say of a new version: its jobs paired with those of the old one, robot by robot.

A robot's first job with the new version is compared with its first with the old one, the second with the
second: who is paired with whom does not depend on how jobs ended, so the test of `hub.workers.paired_test`
holds whenever one looks. Some robots may lie or be broken: what counts is what no few of them make. Pure.

A bet's logarithm is a sum over robots of what it gained on the pairs of each, g. Of `n` robots the `k` are
left out that speak most for what is to be shown (`left_out`):

    L = sum of g  -  the k largest g, where they are positive

Were any k robots liars, L would be at most what the honest ones alone say, since leaving those out would take
no more away. So what is worse by the margin passes with probability `ALPHA` at most, and what is as good is
stopped with `1 - POWER` at most, whatever k of them say. Robots that speak against it can hold a ring up.
A stop they must not hold up: for it the k that speak most against it are left out as well, at the price of a
factor for not knowing who is honest,

    M = L  -  the k smallest g, where they are negative  -  log sum over j <= k of (n choose j)

which is at most the logarithm of the sum of what all choices of n - k or more honest robots say; and the mean
of exp L and exp M is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import comb, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.workers.paired_test import Verdict, log_gains, mixed
from skills.messages.reports import FIRST_JOBS, Report
from skills.messages.rollouts import RingPlan

__all__ = ["Claim", "Figures", "claim_of", "figures_of", "left_out", "verdict_of"]

ALPHA = 0.05
POWER = 0.95
MANY = 8
"""Robots of which no two make a verdict; of fewer no single one does."""
SEVERAL = 3
"""Organisations of which no single one passes a ring."""


@dataclass(frozen=True)
class Claim:
    """What one robot says.

    Attributes:
        arm: Its embodiment.
        owner: Its organisation.
        wins: Pairs in which the new version alone was good.
        losses: In which the old one alone was.
        pairs: All.
        done: Jobs with the new version.
        failed: The same.
    """

    arm: str
    owner: str
    wins: int
    losses: int
    pairs: int
    done: int
    failed: int


@dataclass(frozen=True)
class Figures:
    """All claims together; `jobs` without the `left_out` that say most, of none more than are told apart."""

    using: int
    done: int
    failed: int
    pairs: int
    wins: int
    losses: int
    jobs: int

    def as_dict(self) -> dict[str, float]:
        """For the journal."""
        return {name: float(value) for name, value in vars(self).items()}


def left_out(robots: int) -> int:
    """How many of so many robots a verdict does without: one; of `MANY` two; of one none."""
    return (robots > 1) + (robots >= MANY)


def claim_of(arm: str, owner: str, report: Report, old: int, new: int) -> Claim:
    """What a report says of two versions."""
    before, after = report.tally(old), report.tally(new)
    pairs = list(zip(before.first, after.first, strict=False))  # of the rest only counts are known
    wins, losses = pairs.count(("0", "1")), pairs.count(("1", "0"))
    return Claim(arm, owner, wins, losses, len(pairs), after.done, after.failed)


def figures_of(claims: Sequence[Claim]) -> Figures:
    """Sums."""
    jobs = sorted(min(FIRST_JOBS, each.done + each.failed) for each in claims)
    return Figures(
        using=len(claims),
        done=sum(each.done for each in claims),
        failed=sum(each.failed for each in claims),
        pairs=sum(each.pairs for each in claims),
        wins=sum(each.wins for each in claims),
        losses=sum(each.losses for each in claims),
        jobs=sum(jobs[: len(jobs) - left_out(len(jobs))]),
    )


def verdict_of(claims: Iterable[Claim], plan: RingPlan) -> Verdict:
    """Whether the new version is worse than the old one, whoever of a few robots lies."""
    spoken = [each for each in claims if each.pairs]
    if not spoken:
        return "open"
    counts = np.array([(each.wins, each.losses, each.pairs) for each in spoken]).T
    arms, owners = (np.array(each) for each in zip(*((one.arm, one.owner) for one in spoken), strict=True))
    groups = [arms == each for each in sorted(set(arms))]
    left = left_out(len(spoken))
    if _is_not_worse(counts, groups, owners, left, plan):
        return "not worse"
    # Wins and losses change places: evidence that the old one is better.
    gains, miss = log_gains(counts[1], counts[0], counts[2], 0.0), (1 - POWER) / 2
    is_worse = _stopping(gains, left) >= -log(miss)
    is_worse |= any(_stopping(gains[each], left) >= log(len(groups) / miss) for each in groups)
    return "worse" if is_worse else "open"


def _is_not_worse(
    counts: NDArray[Any], groups: list[NDArray[Any]], owners: NDArray[Any], left: int, plan: RingPlan
) -> bool:
    """All together and each embodiment, whichever robots, or whichever organisation of several, lie."""
    everybody = np.ones(len(owners), bool)
    looks = [(everybody, plan.margin), *((each, plan.arm_margin) for each in groups)]
    for those, margin in looks:
        wins, losses, pairs = counts[:, those]
        gains = log_gains(wins, losses, pairs, margin)
        theirs = np.unique(owners[those], return_inverse=True)[1]
        by_owner = np.zeros((theirs.max() + 1, gains.shape[1]))
        np.add.at(by_owner, theirs, gains)
        found = (
            float(mixed(_without(gains, left))),
            float(mixed(_without(by_owner, len(by_owner) >= SEVERAL))),
        )
        if min(found) < -log(ALPHA):
            return False
    return True


def _without(gains: NDArray[Any], left: int) -> NDArray[Any]:
    """Sums of each bet without those that speak most for it, one at least kept; L in the module's text.

    Args:
        gains: (robots or organisations, bets).
        left: How many.
    """
    left = min(left, len(gains) - 1)
    most = np.sort(gains, axis=0)[len(gains) - left :]
    found: NDArray[Any] = gains.sum(0) - np.maximum(most, 0).sum(0)
    return found


def _stopping(gains: NDArray[Any], left: int) -> float:
    """Evidence that few can neither make nor keep from being seen: L and M in the module's text."""
    left, sums = min(left, len(gains) - 1), _without(gains, left)
    least = np.sort(gains, axis=0)[:left]
    price = log(sum(comb(len(gains), each) for each in range(left + 1)))
    return float(mixed(np.logaddexp(sums, sums - np.minimum(least, 0).sum(0) - price) - log(2)))
