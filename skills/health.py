"""What is usual for a machine, in sums that add up, and how far from it a job was: pure arithmetic.

Sums of many robots make the guild's covariance without any job leaving its robot. What is measured in a job
is `fleet.health.figures`', who sends what `fleet.health.sharing`'s, and whose sums count `hub.health`'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "REFERENCE",
    "Cusum",
    "Sums",
    "alarm_limit",
    "distances",
    "precision_of",
    "shrunk_covariance",
    "widened",
]

Floats = NDArray[np.float64]

REFERENCE = 2.5
"""Shift, in standard deviations, that a CUSUM forgives: half of what it is to find, and more than a robot's
centre at home is wrong by."""
MOST = 8.0
"""Standard deviations that one job counts for at most: somebody leant on the arm once, and it is not worn."""
FLOOR = 1e-6
"""Share of a figure's variance that is added, so that a figure that hardly varies does not rule alone."""
RUNS, TAILS = 400, 8.0
"""Simulated machines behind a limit, and how heavy the tails of their jobs are (degrees of freedom of a t
distribution): jobs are of a few kinds, and no normal distribution."""


@dataclass(frozen=True)
class Sums:
    """Jobs in sums: how many, their mean (d,), and the scatter (d, d) about it: M2 of Chan et al. 1979."""

    count: int
    mean: Floats
    scatter: Floats

    @classmethod
    def none(cls, size: int) -> Sums:
        """No job yet."""
        return cls(0, np.zeros(size), np.zeros((size, size)))

    @classmethod
    def of(cls, jobs: Floats) -> Sums:
        """Of jobs (n, d)."""
        if not len(jobs):
            return cls.none(jobs.shape[1])
        mean = jobs.mean(axis=0)
        apart = jobs - mean
        return cls(len(jobs), mean, apart.T @ apart)

    def merged(self, other: Sums) -> Sums:
        """Both together: Chan, Golub and LeVeque 1979, "Updating formulae", equation 2.1, in float64."""
        count = self.count + other.count
        if count == 0:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        between = np.outer(apart, apart) * (self.count * (other.count / count))
        return Sums(count, mean, self.scatter + other.scatter + between)

    def at_most(self, count: int) -> Sums:
        """The same mean and covariance, with the weight of so many jobs at most."""
        if self.count <= count:
            return self
        return Sums(count, self.mean, self.scatter * ((count - 1) / (self.count - 1)))

    @property
    def covariance(self) -> Floats:
        """(d, d); zeros where fewer than two jobs are known."""
        return self.scatter / max(1, self.count - 1)


def shrunk_covariance(jobs: Floats) -> Floats:
    """The covariance of few jobs (n, d), shrunk to its diagonal: Ledoit and Wolf 2004, on unit variances.

    What a robot has to do with while the guild knows nothing of its kind.
    """
    scale = jobs.std(axis=0, ddof=1)
    scale = np.where(scale > 0, scale, 1.0)
    units = (jobs - jobs.mean(axis=0)) / scale
    count, size = units.shape
    found = units.T @ units / count
    level = np.trace(found) / size
    target = level * np.eye(size)
    apart = ((found - target) ** 2).sum()
    doubt = sum(((np.outer(each, each) - found) ** 2).sum() for each in units) / count**2
    share = 1.0 if apart == 0 else min(1.0, doubt / apart)
    shrunk: Floats = (share * target + (1 - share) * found) * np.outer(scale, scale) * (count / (count - 1))
    return shrunk


def precision_of(covariance: Floats) -> Floats:
    """The inverse (d, d) of a covariance; figures that do not vary at all count for nothing."""
    scale = np.sqrt(np.diag(covariance))
    known = scale > 0
    scale = np.where(known, scale, 1.0)
    units = covariance / np.outer(scale, scale) + np.diag(np.where(known, FLOOR, 1.0))
    inverse: Floats = np.linalg.inv(units) / np.outer(scale, scale)
    inverse[~known] = 0.0
    inverse[:, ~known] = 0.0
    return inverse


def distances(jobs: Floats, centre: Floats, precision: Floats, *, home: int, together: int = 1) -> Floats:
    """Mahalanobis distances (n,) of jobs, or of means of so many `together`, (n, d), from a centre (d,).

    In standard deviations of what is compared; the centre is itself a mean, of `home` jobs.
    """
    apart = jobs - centre
    squares = np.einsum("ij,jk,ik->i", apart, precision, apart) / (1 / together + 1 / home)
    found: Floats = np.sqrt(np.maximum(squares, 0.0))
    return found


def widened(precision: Floats, home: Floats) -> Floats:
    """The precision (d, d) for a robot whose jobs at home (n, d) vary more than others' do; never less."""
    apart = home - home.mean(axis=0)
    squares = np.einsum("ij,jk,ik->", apart, precision, apart)
    share = float(squares) / ((len(home) - 1) * home.shape[1])
    found: Floats = precision / max(1.0, share)
    return found


@dataclass(frozen=True)
class Cusum:
    """How far jobs went in one direction, beyond what is forgiven: the multivariate CUSUM of Crosier 1988.

    Attributes:
        state: (d,), of all jobs so far.
        height: How much that is, in standard deviations; an alarm where it is above `alarm_limit`.
    """

    state: Floats
    height: float = 0.0

    @classmethod
    def begin(cls, size: int) -> Cusum:
        """Before the first job."""
        return cls(np.zeros(size))

    def after(self, apart: Floats, precision: Floats, reference: float = REFERENCE) -> Cusum:
        """With one more job, as it lies (d,) from the centre."""
        moved = self.state + apart * min(1.0, MOST / max(_length(apart, precision), 1e-12))
        length = _length(moved, precision)
        if length <= reference:
            return Cusum(np.zeros_like(moved))
        return Cusum(moved * (1 - reference / length), length - reference)


def _length(apart: Floats, precision: Floats) -> float:
    return math.sqrt(max(0.0, float(apart @ precision @ apart)))


@lru_cache(maxsize=32)
def alarm_limit(size: int, home: int, jobs: int = 1000, chance: float = 0.05) -> float:
    """The height above which a CUSUM alarms: in so many healthy jobs it does so with this chance.

    Found by simulating healthy machines, seeded: equal arguments, equal limits.

    Args:
        size: Figures of a job.
        home: Jobs behind the centre, which is wrong by as much as their mean is.
        jobs: How many healthy ones.
        chance: That there is any alarm in them.
    """
    random = np.random.default_rng([size, home, jobs])
    wrong = random.normal(0.0, 1 / np.sqrt(home), (RUNS, size))
    state, highest = np.zeros((RUNS, size)), np.zeros(RUNS)
    unit = np.sqrt((TAILS - 2) / TAILS)  # of variance one
    for _ in range(jobs):
        spread = unit / np.sqrt(random.chisquare(TAILS, (RUNS, 1)) / TAILS)
        state += random.standard_normal((RUNS, size)) * spread + wrong
        length = np.linalg.norm(state, axis=1, keepdims=True)
        state *= np.maximum(0.0, 1 - REFERENCE / np.maximum(length, 1e-12))
        highest = np.maximum(highest, length[:, 0] - REFERENCE)
    return float(np.quantile(highest, 1 - chance))
