"""What robots' claims say of a new version: its jobs paired with those of the old one, robot by robot.

A robot's first job with the new version is compared with its first with the old one, the second with the
second: who is paired with whom does not depend on how jobs ended, so the test of `hub.workers.paired_test`
holds whenever one looks. Any one robot may lie or be broken: a verdict is one only where it stays the same
without any single robot, as long as another of its embodiment has spoken. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hub.workers.paired_test import Limits, Verdict, verdicts
from skills.messages.reports import FIRST_JOBS, Report
from skills.messages.rollouts import RingPlan

__all__ = ["Claim", "Figures", "claim_of", "figures_of", "verdict_of"]

ALPHA = 0.05
POWER = 0.95
WORDS: dict[int, Verdict] = {1: "not worse", 0: "open", -1: "worse"}


@dataclass(frozen=True)
class Claim:
    """What one robot says.

    Attributes:
        arm: Its embodiment.
        wins: Pairs in which the new version alone was good.
        losses: In which the old one alone was.
        pairs: All.
        done: Jobs with the new version.
        failed: The same.
    """

    arm: str
    wins: int
    losses: int
    pairs: int
    done: int
    failed: int


@dataclass(frozen=True)
class Figures:
    """All claims together; `jobs` without the robot that says most, and of none more than are told apart."""

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


def claim_of(arm: str, report: Report, old: int, new: int) -> Claim:
    """What a report says of two versions."""
    before, after = report.tally(old), report.tally(new)
    pairs = list(zip(before.first, after.first, strict=False))  # of the rest only counts are known
    return Claim(arm, pairs.count(("0", "1")), pairs.count(("1", "0")), len(pairs), after.done, after.failed)


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
        jobs=sum(jobs[:-1] if len(jobs) > 1 else jobs),
    )


def verdict_of(claims: Iterable[Claim], plan: RingPlan) -> Verdict:
    """Whether the new version is worse than the old one, whichever single robot is left out."""
    spoken = [each for each in claims if each.pairs]
    if not spoken:
        return "open"
    arms = sorted({each.arm for each in spoken})
    place = {arm: number for number, arm in enumerate(arms)}
    total = np.zeros((3, len(arms)), dtype=np.int64)  # wins, losses, pairs of each arm
    for each in spoken:
        total[:, place[each.arm]] += (each.wins, each.losses, each.pairs)
    robots = Counter(each.arm for each in spoken)
    # Robots that say the same make the same difference.
    without = [total] if len(arms) == sum(robots.values()) else []
    for arm, *said in {(each.arm, each.wins, each.losses, each.pairs) for each in spoken}:
        if robots[arm] > 1:
            left = total.copy()
            left[:, place[arm]] -= said
            without.append(left)
    wins, losses, pairs = np.stack(without, axis=1)
    limits = Limits(plan.margin, plan.arm_margin, ALPHA, POWER)
    found = {int(each) for each in verdicts(wins, losses, pairs, limits)}
    return WORDS[found.pop()] if len(found) == 1 else "open"
