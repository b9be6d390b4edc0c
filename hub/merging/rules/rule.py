"""What every rule is: checks its options and the number of updates, then solves for a combination.

A rule sees facts about the updates (weights, inner products), never the updates themselves; one pass of an
engine gathers the facts, another computes the combination. So the mathematics of a rule is written once
for all devices.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hub.merging.combination import Combination
from hub.merging.errors import MergeError
from hub.merging.stack import Stack

__all__ = ["Card", "Facts", "Rule", "check_byzantine", "check_count", "check_option"]


class Card(NamedTuple):
    """What docs/merging.md says of a rule.

    Attributes:
        formula: In words and symbols.
        source: Paper and section.
        reads: How often each input is read.
        cost: Arithmetic per weight beyond reading, n updates.
        survives: Number f of bad robots among n.
        weights: Whether it heeds the updates' weights.
    """

    formula: str
    source: str
    reads: int
    cost: str
    survives: str
    weights: bool


@dataclass(frozen=True)
class Facts:
    """What a rule knows of n updates after clipping and mixing, which are linear: x = transform @ stack.

    Attributes:
        weights: (n,), sum 1.
        transform: (n, rows of the stack).
        gram: (n, n) inner products of x; None unless the rule needs them.
        root: (n,) inner products of x with the root update; None unless the rule needs one.
        root_norm: Its Euclidean norm.
        stack: For rules that look at single numbers.
    """

    weights: NDArray[np.float64]
    transform: NDArray[np.float64]
    gram: NDArray[np.float64] | None
    root: NDArray[np.float64] | None
    root_norm: float
    stack: Stack

    def inner(self) -> NDArray[np.float64]:
        """The Gram matrix of a rule that said it needs one."""
        if self.gram is None:
            raise TypeError("no Gram matrix was gathered for this rule")
        return self.gram

    def squared_distances(self) -> NDArray[np.float64]:
        """(n, n), |x_i - x_j|^2 = G_ii + G_jj - 2 G_ij."""
        gram = self.inner()
        squares = np.diag(gram)
        distances = np.maximum(squares[:, None] + squares[None, :] - 2 * gram, 0.0)
        np.fill_diagonal(distances, 0.0)
        return np.asarray((distances + distances.T) / 2)


@dataclass(frozen=True)
class Rule(ABC):
    """A rule; its options are the fields of a frozen dataclass."""

    card: ClassVar[Card]
    needs_gram: ClassVar[bool] = False
    needs_root: ClassVar[bool] = False
    needs_numbers: ClassVar[bool] = False
    """Whether it looks at single numbers; else it weighs whole updates."""
    averages: ClassVar[bool] = True
    """Whether what it makes of numbers lies among them, or between them and zero."""

    def check(self, count: int) -> None:  # noqa: B027 - a rule that promises nothing takes any number
        """Refuse what breaks the rule's promise.

        Raises:
            MergeError: Too few updates for the options.
        """

    @abstractmethod
    def solve(self, facts: Facts) -> Combination:
        """The combination for these updates; `check` passed before."""


def check_count(rule: str, count: int, byzantine: int, needed: int) -> None:
    """Hold the number of updates to what a rule needs against `byzantine` bad ones.

    Raises:
        MergeError: Fewer than `needed`.
    """
    if count < needed:
        raise MergeError(
            f"{rule} against {byzantine} bad robots needs {needed} updates or more, not {count}.",
            where="options.byzantine",
            remedy="Wait for more robots (a larger quorum), or lower byzantine.",
            code="too_few_updates",
        )


def check_option(*, holds: bool, option: str, value: float | None, bounds: str) -> None:
    """Refuse an option outside its bounds.

    Raises:
        MergeError: It does not hold.
    """
    if not holds:
        raise MergeError(
            f"{option} {value} is outside {bounds}.",
            where=f"options.{option}",
            remedy="Choose another value.",
        )


def check_byzantine(byzantine: int) -> None:
    """Refuse a negative number of bad robots.

    Raises:
        MergeError: It is negative.
    """
    check_option(holds=byzantine >= 0, option="byzantine", value=byzantine, bounds="0 or more")
