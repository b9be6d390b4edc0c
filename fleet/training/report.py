"""What an iteration of training did, in figures; what becomes of them is left to who asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["TrainingReport"]


@dataclass(frozen=True)
class TrainingReport:
    """What one iteration, or several together, did; means are None where no episode ended.

    Attributes:
        steps: Environment steps learned from.
        seconds: Wall-clock time.
        returns: Undiscounted reward of each episode that ended.
        successes: Of each episode that ended, if the environment says so (`info["success"]`).
        learning: Figures of the learning, such as `kl`, by name; of several iterations, of the last.
    """

    steps: int
    seconds: float
    returns: tuple[float, ...] = field(repr=False)
    successes: tuple[bool, ...] = field(repr=False)
    learning: dict[str, float] = field(default_factory=dict)

    @property
    def mean_return(self) -> float | None:
        """Mean undiscounted return."""
        return float(np.mean(self.returns)) if self.returns else None

    @property
    def success_rate(self) -> float | None:
        """Share of successful episodes; with exploration noise, so below the skill's score."""
        return float(np.mean(self.successes)) if self.successes else None

    @classmethod
    def of(cls, reports: Sequence[TrainingReport]) -> TrainingReport:
        """Of several iterations together."""
        return cls(
            steps=sum(report.steps for report in reports),
            seconds=sum(report.seconds for report in reports),
            returns=tuple(value for report in reports for value in report.returns),
            successes=tuple(value for report in reports for value in report.successes),
            learning=reports[-1].learning if reports else {},
        )
