"""What an experiment is: others' paper and figures, cases to run, and on which points we agree.

Which there are is left to `benchmarks.others.experiments`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

__all__ = ["Claim", "Experiment", "Of", "Run"]

Run = Callable[[int, bool], dict[str, float]]
"""Given a seed, and whether a minute must do: what was measured, by name."""
Of = Callable[[str, str], float]
"""The mean over seeds of a case's figure; a KeyError where it was not run."""


@dataclass(frozen=True)
class Claim:
    """A point on which to agree or not.

    Attributes:
        text: What they report, and what would be agreement.
        agrees: Whether our figures say so.
    """

    text: str
    agrees: Callable[[Of], bool]


@dataclass(frozen=True)
class Experiment:
    """One paper or program beside ours.

    Attributes:
        title: Of its section.
        source: Authors, title and year.
        theirs: What they report, in a sentence.
        ours: What is measured here, and what is otherwise than theirs.
        cases: By the name in tables.
        figures: Columns of the table: name, and how to write a number.
        reported: Others' figure of a case, where it is known.
        claims: Points on which to agree.
        seeds: How many.
        words: What is said of a claim that holds, and of one that does not.
    """

    title: str
    source: str
    theirs: str
    ours: str
    cases: Mapping[str, Run]
    figures: Mapping[str, str]
    claims: tuple[Claim, ...]
    reported: Mapping[str, str] = field(default_factory=dict)
    seeds: int = 3
    words: tuple[str, str] = ("we agree", "we do not agree")
