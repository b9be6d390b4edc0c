"""What each thing takes of a processor, as lines through measured points; pure.

Measured by `benchmarks.scale.real`, used by `benchmarks.scale.simulation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

__all__ = ["Costs", "Line", "Point", "fit"]


@dataclass(frozen=True)
class Line:
    """Processor seconds of one thing: `fixed`, and `each` for every byte (or whatever it grows with)."""

    fixed: float = 0.0
    each: float = 0.0

    def __call__(self, amount: float) -> float:
        """For so much of it."""
        return self.fixed + self.each * amount


@dataclass(frozen=True)
class Point:
    """So many seconds were taken for `count` things of `amount` each."""

    count: float
    amount: float
    seconds: float


@dataclass(frozen=True)
class Costs:
    """Of a hub's process, unless said otherwise.

    Attributes:
        enrol: One robot joins.
        poll: One question for work that there is none of.
        hold: One question that is held until there is work, and answered then.
        fetch: One base, by its bytes.
        push: One delta, by its bytes.
        commit: What a request has more that shares its transaction with no other: all who wait share one.
        look: One look at an open round, by the robots that it is about; and what else a delta wakes.
        round: What a round takes besides, once.
        idle: A second in which nobody asks for anything.
        merge: Of a worker: one delta, by its bytes.
        merge_start: Of a worker: what a merge takes besides.
        episode: Of a worker: one episode at the gate, by the bytes of the skill.
        gate_start: Of a worker: what a gate takes besides.
        client_hold, client_fetch, client_push: Of the process that all robots of a real run are in.
    """

    enrol: float
    poll: float
    hold: float
    fetch: Line
    push: Line
    commit: float
    look: Line
    round: float
    idle: float
    merge: Line
    merge_start: float
    episode: Line
    gate_start: float
    client_hold: float
    client_fetch: Line
    client_push: Line

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """From a file."""
        lines = {name: Line(**value) for name, value in found.items() if isinstance(value, dict)}
        return cls(**{**found, **lines})


def fit(points: Sequence[Point]) -> Line:
    """The line nearest to what was measured, neither part below nothing; one point is a fixed cost.

    Each point counts by its share of error, so that a long one does not outweigh the others.
    """
    known = [each for each in points if each.seconds > 0]
    if not known:
        return Line()
    rows = np.array([[each.count, each.count * each.amount] for each in known])
    taken = np.array([each.seconds for each in known])
    if len(known) > 1:
        fixed, each = np.linalg.lstsq(rows / taken[:, None], np.ones(len(known)), rcond=None)[0]
        if fixed >= 0 and each >= 0:
            return Line(float(fixed), float(each))
        if each > 0:  # nothing but bytes, then
            return Line(0.0, float(taken.sum() / rows[:, 1].sum()))
    return Line(float(taken.sum() / rows[:, 0].sum()))
