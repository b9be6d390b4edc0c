"""Interquartile means with bootstrap intervals over seeds and workshops (Agarwal et al. 2021), and aims.

Pure: rows in, figures out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import trim_mean  # type: ignore[import-untyped]

from benchmarks.learning.record import Row

__all__ = ["Aim", "Figure", "figure"]

RESAMPLES = 2000
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """An interquartile mean, and where 95 % of the resampled ones lie."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Aim:
    """What an experiment set out to show, in words, and whether the figures do.

    Attributes:
        text: In words.
        reached: Given a way to look up means by method and place, or `steps`; a KeyError where a run is
            missing.
    """

    text: str
    reached: Callable[[Callable[[str, str], float]], bool]


def figure(rows: Sequence[Row], place: str, rng: np.random.Generator) -> Figure:
    """Of all runs of one method: seeds are drawn with replacement, then workshops within each.

    Args:
        rows: One a seed.
        place: Of `benchmarks.learning.record.PLACES`.
        rng: Of the bootstrap.

    Raises:
        ValueError: There are no runs, or not as many workshops in each.
    """
    if not rows:
        raise ValueError("no runs")
    scores = np.stack([np.array(row.scores[place]) for row in rows])
    seeds, workshops = scores.shape
    drawn = rng.integers(seeds, size=(RESAMPLES, seeds, 1))
    within = rng.integers(workshops, size=(RESAMPLES, seeds, workshops))
    low, high = np.percentile(_middle(scores[drawn, within]), [2.5, 97.5])
    return Figure(float(_middle(scores[None])[0]), float(low), float(high))


def _middle(scores: Scores) -> Scores:
    """The mean of the middle half of all scores (draws, seeds, workshops) of each draw."""
    found: Scores = trim_mean(scores.reshape(len(scores), -1), 0.25, axis=1)
    return found
