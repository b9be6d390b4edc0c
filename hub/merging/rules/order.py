"""Rules that sort each coordinate: median and trimmed mean.

Weights are ignored: a liar would raise his own.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import ClassVar

from hub.merging.combination import SortedMean
from hub.merging.rules.rule import Card, Facts, Rule, check_byzantine, check_count, check_option

__all__ = ["Median", "TrimmedMean"]


@dataclass(frozen=True)
class Median(Rule):
    """The middle of each coordinate; of an even number, the mean of the two middle ones."""

    byzantine: int = 0

    card: ClassVar = Card(
        formula="median of each coordinate",
        source="Yin et al. 2018, definition 1",
        reads=1,
        cost="n log² n",
        survives="f < n/2",
        weights=False,
    )
    needs_numbers: ClassVar = True

    def __post_init__(self) -> None:
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """More good updates than bad ones."""
        check_count("median", count, self.byzantine, 2 * self.byzantine + 1)

    def solve(self, facts: Facts) -> SortedMean:
        """The one or two middle ranks."""
        count = len(facts.weights)
        return SortedMean(facts.transform, (count - 1) // 2, count // 2 + 1)


@dataclass(frozen=True)
class TrimmedMean(Rule):
    """The mean of each coordinate without its floor(trim * n) smallest and as many largest numbers."""

    trim: float = 0.2
    byzantine: int = 0

    card: ClassVar = Card(
        formula="mean of each coordinate without its k = ⌊trim·n⌋ smallest and k largest numbers",
        source="Yin et al. 2018, definition 2",
        reads=1,
        cost="n log² n",
        survives="f ≤ ⌊trim·n⌋, trim < ½",
        weights=False,
    )
    needs_numbers: ClassVar = True

    def __post_init__(self) -> None:
        check_option(holds=0 <= self.trim < 0.5, option="trim", value=self.trim, bounds="0 <= trim < 0.5")
        check_byzantine(self.byzantine)

    def check(self, count: int) -> None:
        """At least `byzantine` numbers go on each side."""
        check_option(
            holds=self._cut(count) >= self.byzantine,
            option="trim",
            value=self.trim,
            bounds=f"trim >= byzantine / updates = {self.byzantine}/{count}",
        )

    def solve(self, facts: Facts) -> SortedMean:
        """The ranks that are left."""
        count = len(facts.weights)
        cut = self._cut(count)
        return SortedMean(facts.transform, cut, count - cut)

    def _cut(self, count: int) -> int:
        exact = self.trim * count + 1e-9  # .29 * 100 is a little less than 29 in binary
        return min(floor(exact), (count - 1) // 2)
