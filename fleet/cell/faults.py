"""What may go wrong with a cell to order: what its sensors give then. Pure besides the random numbers.

Faults of the connection are carried out by `fleet.cell.server`, wear by `fleet.cell.machine`: both are told
here whether they are due.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["FAULTS", "Faults", "Sample"]

FAULTS = {
    "clear": "everything is as it should be",
    "frozen": "the sensor stops: what it gave last, as old as it is",
    "stuck": "the sensor gives the same again and again, and calls it new",
    "late": "what is sensed comes so many seconds late",
    "nan": "one number is none",
    "noisy": "so many scales of noise on every number",
    "lost": "the last number is missing",
    "silent": "the cell answers no driver any more",
    "disconnected": "the connection ends, and no driver gets another",
    "killed": "the cell's process ends at once",
    "busy": "no fault: the robot says that it is busy",
    "friction": "wear: so many N m more in each joint, from the next job on",
    "backlash": "wear: so many mm of play, from the next job on",
    "drift": "wear: the tool is so many mm aside of where it seems, from the next job on",
    "slow": "wear: commands come so many periods late, from the next job on",
}
"""In the order of their numbers on the wire."""


class Sample(NamedTuple):
    """What was sensed at a moment of the cell's time."""

    taken_at: float
    numbers: NDArray[np.float64]


class Faults:
    """Which faults are ordered, from when on; one of each kind."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._ordered: dict[str, tuple[float, float]] = {}
        self._kept: Sample | None = None

    def order(self, kind: str, value: float, begins: float) -> None:
        """From this moment of the cell's time on."""
        if kind == "clear":
            self._ordered.clear()
            self._kept = None
        else:
            self._ordered[kind] = value, begins

    def value(self, kind: str, now: float) -> float | None:
        """A fault's value; None where it is not due."""
        value, begins = self._ordered.get(kind, (0.0, math.inf))
        return value if now >= begins else None

    def sensed(self, history: Sequence[Sample], now: float) -> Sample:
        """What the sensors make of what there was to sense, the newest last."""
        sample = history[-1]
        if (delay := self.value("late", now)) is not None:
            sample = next((each for each in reversed(history) if now - each.taken_at >= delay), history[0])
        sample = self._repeated(sample, now)
        numbers = sample.numbers.copy()
        if (scales := self.value("noisy", now)) is not None:
            numbers += self._random.normal(0.0, scales, numbers.shape)
        if self.value("nan", now) is not None:
            numbers[0] = np.nan
        if self.value("lost", now) is not None:
            numbers = numbers[:-1]
        return Sample(sample.taken_at, numbers)

    def _repeated(self, sample: Sample, now: float) -> Sample:
        frozen, stuck = (self.value(kind, now) is not None for kind in ("frozen", "stuck"))
        if not (frozen or stuck):
            return sample
        self._kept = self._kept or sample
        return self._kept if frozen else Sample(sample.taken_at, self._kept.numbers)
