"""What differs from robot to robot and from job to job: ranges to draw from, and what is held out."""

from __future__ import annotations

from typing import Annotated, Protocol

from pydantic import Field, model_validator

from envs.values import Finite, Numbers, Section

__all__ = ["Range", "Variation", "Varied"]


class Range(Section):
    """Bounds of a uniform draw, one number or one per component; or the values that are drawn from."""

    low: Numbers | None = None
    high: Numbers | None = None
    values: tuple[str, ...] | tuple[Finite, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Range:
        if (self.low is None) != (self.high is None) or (self.low is not None) == bool(self.values):
            raise ValueError("give low and high, or values")
        if self.low is not None and any(b > t for b, t in zip(*self.bounds, strict=True)):
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self

    @property
    def bounds(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Low and high as tuples of equal length; empty where there are values instead."""
        low, high = (side if isinstance(side, tuple) else (side,) for side in (self.low, self.high))
        return ((), ()) if self.values else (low, high)  # type: ignore[return-value]


class Variation(Section):
    """What differs: from robot to robot (drawn once for a workshop) or from job to job (each episode).

    Attributes:
        unit: Of the figure.
        low: Least, one number or one per component.
        high: Greatest.
        values: Instead of both: what is chosen from. Workshops of consecutive seeds take turns.
        nominal: What the data sheet says; a robot that was not drawn has it.
        held_out: Kept from training: only the gate's workshops draw from it.
        limits: A workshop's own figure must lie within; without it, within the ranges above.
        window: Of the jobs: each workshop's come from a window of its own in the range, which is so wide,
            as a share of it; so workshops differ, and each has some variety. Without it from all of it.
    """

    unit: str = Field(default="1", max_length=16)
    low: Numbers | None = None
    high: Numbers | None = None
    values: tuple[str, ...] | tuple[Finite, ...] = ()
    nominal: Numbers | None = None
    held_out: Range | None = None
    limits: tuple[Finite, Finite] | None = None
    window: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _something_to_draw(self) -> Variation:
        drawn = self.drawn
        values = (*self.values, *(self.held_out.values if self.held_out else ()))
        if len({isinstance(each, str) for each in values}) > 1:
            raise ValueError("values and held_out's values must be both words or both numbers")
        if self.held_out and drawn and _overlap(drawn, self.held_out):
            raise ValueError("held_out overlaps what robots train on: move one of the two ranges")
        return self

    @property
    def drawn(self) -> Range | None:
        """What robots in training are drawn from; None where the figure is fixed."""
        if self.low is None and self.high is None and not self.values and self.nominal is not None:
            return None
        return Range(low=self.low, high=self.high, values=self.values)

    @property
    def size(self) -> int:
        """Components of the figure."""
        some = self.nominal if self.drawn is None else self.drawn.low
        return len(some) if isinstance(some, tuple) else 1


def _overlap(one: Range, other: Range) -> bool:
    if one.values or other.values:
        return bool(set(one.values) & set(other.values))
    pairs = zip(*one.bounds, *other.bounds, strict=True)
    return all(low < top and bottom < high for low, high, bottom, top in pairs)


class Varied(Protocol):
    """What of a task's file says who does it and what differs."""

    @property
    def name(self) -> str:
        """Of the task."""

    @property
    def embodiments(self) -> tuple[str, ...]:
        """Robots that are admitted."""

    @property
    def robots(self) -> dict[str, Variation]:
        """What differs from robot to robot."""

    @property
    def jobs(self) -> dict[str, Variation]:
        """What differs from job to job."""
