"""What a robot tells of its machine's health, and what the guild answers: sums of jobs, never a job.

A robot counts its jobs. Sums say which ones are in them, so that the hub counts each once, however often and
in whatever parts they come.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from skills.container import digest_of
from skills.health import Floats, Sums
from skills.manifest import Digest, Name
from skills.messages.base import Message

__all__ = ["LOGGED", "HealthAnswer", "HealthModel", "HealthReport", "HealthState", "JobSums", "RobotHealth"]

LOGGED = 256
"""Jobs that a robot keeps, and so the most that any sums are of."""
MANY = 1_000_000_000
MOST_FIGURES = 32
Bounded = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Squared = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Figures = Annotated[tuple[Name, ...], Field(min_length=1, max_length=MOST_FIGURES)]
Height = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class _Moments(Message):
    """Mean and scatter of jobs, each less its robot's own centre; of the scatter the rows' upper halves."""

    mean: tuple[Bounded, ...] = Field(max_length=MOST_FIGURES)
    scatter: tuple[Squared, ...] = Field(max_length=MOST_FIGURES * (MOST_FIGURES + 1) // 2)

    @model_validator(mode="after")
    def _is_scatter(self) -> _Moments:
        size = len(self.mean)
        if len(self.scatter) != size * (size + 1) // 2:
            msg = "the scatter has another size than the mean"
            raise ValueError(msg)
        lowest = np.linalg.eigvalsh(_square(self.scatter, size)).min() if size else 0.0
        if lowest < -1e-9 * max(map(abs, self.scatter), default=0.0):
            msg = "the scatter is none: some combination of figures has a negative one"
            raise ValueError(msg)
        return self


class JobSums(_Moments):
    """Sums of jobs that came after the one numbered `after`, up to `upto`; some may have said nothing."""

    after: int = Field(ge=0, le=MANY)
    upto: int = Field(ge=1, le=MANY)
    count: int = Field(ge=1, le=LOGGED)

    @model_validator(mode="after")
    def _counts(self) -> JobSums:
        if self.count > self.upto - self.after:
            msg = "more jobs than there were"
            raise ValueError(msg)
        return self

    @classmethod
    def of(cls, jobs: Floats, after: int, upto: int) -> JobSums:
        """Of jobs (n, d), less their robot's centre."""
        sums = Sums.of(jobs)
        return cls(
            after=after,
            upto=upto,
            count=sums.count,
            mean=tuple(sums.mean.tolist()),
            scatter=_half(sums.scatter),
        )

    @property
    def sums(self) -> Sums:
        """As what can be merged."""
        return Sums(self.count, np.array(self.mean), _square(self.scatter, len(self.mean)))


class HealthState(Message):
    """How a robot finds itself.

    Attributes:
        jobs: That it has judged, since it was new or looked after.
        distance: Of the last one from what is usual, in standard deviations.
        height: Of its CUSUM, in the same.
        limit: Above which that is an alarm; 0: it does not know yet what is usual.
        worn_since: When it first was, until somebody has looked after it.
        figure: What differs most, then.
    """

    jobs: int = Field(default=0, ge=0, le=MANY)
    distance: Height = 0.0
    height: Height = 0.0
    limit: Height = 0.0
    worn_since: datetime | None = None
    figure: Name | None = None


class HealthReport(Message):
    """A robot asks for what is usual, and tells its part of it as far as its owner allows."""

    skill: Name
    figures: Figures
    sums: JobSums | None = None
    state: HealthState | None = None

    @model_validator(mode="after")
    def _fits(self) -> HealthReport:
        if self.sums is not None and len(self.sums.mean) != len(self.figures):
            msg = "the sums are of other figures"
            raise ValueError(msg)
        return self


class HealthModel(_Moments):
    """What is usual for an embodiment in a skill, of all robots that told their part."""

    skill: Name
    embodiment: Name
    figures: Figures
    robots: int = Field(ge=1, le=MANY)
    count: int = Field(ge=1, le=MANY)

    @classmethod
    def of(
        cls, sums: Sums, robots: int, skill: str, embodiment: str, figures: tuple[str, ...]
    ) -> HealthModel:
        """Merged sums of so many robots."""
        return cls(
            skill=skill,
            embodiment=embodiment,
            figures=figures,
            robots=robots,
            count=sums.count,
            mean=tuple(sums.mean.tolist()),
            scatter=_half(sums.scatter),
        )

    @property
    def covariance(self) -> Floats:
        """(d, d)."""
        return Sums(self.count, np.array(self.mean), _square(self.scatter, len(self.mean))).covariance

    @property
    def digest(self) -> Digest:
        """Of the model as JSON."""
        return digest_of(self.model_dump_json().encode())


class HealthAnswer(Message):
    """Up to which of its jobs a robot's are counted, and what is usual; None: too few robots told.

    Attributes:
        digest: Of the model.
    """

    counted: int = Field(ge=0, le=MANY)
    model: HealthModel | None = None
    digest: Digest | None = None

    @model_validator(mode="after")
    def _agrees(self) -> HealthAnswer:
        if (self.model.digest if self.model else None) != self.digest:
            msg = "the digest is not the model's"
            raise ValueError(msg)
        return self


class RobotHealth(Message):
    """How a robot finds itself in a skill, as operators see it: a claim."""

    skill: str
    heard_at: datetime
    counted: int
    state: HealthState


def _half(square: Floats) -> tuple[float, ...]:
    return tuple(square[np.triu_indices(len(square))].tolist())


def _square(half: tuple[float, ...], size: int) -> Floats:
    found = np.zeros((size, size))
    found[np.triu_indices(size)] = half
    return found + np.triu(found, 1).T
