"""The parts that a controller adds up: gains on what it reads, constants, factors from tables.

What there is to read - observations, what blocks give, clocks - is the reader's, `envs.scripted`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from envs.conditions import Condition
from envs.names import unknown
from envs.values import Finite, Floats, Indices, Numbers, Positive, Reference, Section

__all__ = [
    "Feedback",
    "Read",
    "Schedule",
    "added_up",
    "all_hold",
    "shorten",
    "wrong_conditions",
    "wrong_part",
]

Read = Callable[[str], Floats]
"""What is read of that name now (n, components), in its unit."""


class Schedule(Section):
    """A factor that depends on what is read: linear between the points of a table, constant beyond.

    Attributes:
        by: What is looked up by, of one component each, one or two.
        at: For each of them the points, rising, in its unit.
        gain: The factor at each point; with two a row for each point of the first.
    """

    by: tuple[Reference, ...] = Field(min_length=1, max_length=2)
    at: tuple[tuple[Finite, ...], ...]
    gain: tuple[Finite, ...] | tuple[tuple[Finite, ...], ...]

    @model_validator(mode="after")
    def _a_gain_for_each_point(self) -> Schedule:
        if len(self.at) != len(self.by) or not all(self.at):
            raise ValueError("give points for each of `by`")
        if any(b <= a for points in self.at for a, b in pairwise(points)):
            raise ValueError("points rise")
        sizes = [len(points) for points in self.at]
        rows = [row if isinstance(row, tuple) else (row,) for row in self.gain]
        if len(rows) != sizes[0] or {len(row) for row in rows} != {[*sizes, 1][1]}:
            raise ValueError(f"the gains are not {' x '.join(map(str, sizes))}")
        return self


class Feedback(Section):
    """One part of a controller: gain * value read * the scalars in `times`, each component limited.

    Attributes:
        of: An observation channel, what a block gives, or a clock; without it, `value`.
        part: First and behind-last component of it.
        value: A constant vector in the action channel's unit.
        gain: One number or one per component.
        schedule: Another factor, which depends on where the robot or the job is.
        times: What is multiplied in, of one component each.
        limit: Greatest length of the resulting vector; a longer one is shortened.
    """

    of: Reference | None = None
    part: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    value: tuple[Finite, ...] = ()
    gain: Numbers = 1.0
    schedule: Schedule | None = None
    times: tuple[Reference, ...] = ()
    limit: Positive | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Feedback:
        if (self.of is None) == (not self.value):
            raise ValueError("give of or value")
        return self

    def reads(self) -> Iterator[str]:
        """Everything that it needs."""
        yield from self.times
        yield from self.schedule.by if self.schedule else ()
        if self.of is not None:
            yield self.of


def wrong_part(part: Feedback, sizes: Mapping[str, int], size: int) -> Iterator[str]:
    """What does not fit in a part of a sum with `size` components, where these can be read."""
    for factor in (*part.times, *(part.schedule.by if part.schedule else ())):
        if sizes.get(factor) != 1:
            yield f"{factor!r} is no observation of one component"
    if part.of is not None and part.of not in sizes:
        yield unknown("observation", part.of, sizes)
        return
    source = sizes[part.of] if part.of is not None else len(part.value)
    found = len(range(source)[slice(*part.part)]) if part.part else source
    gains = len(part.gain) if isinstance(part.gain, tuple) else size
    if found not in {1, size} or gains != size:
        yield f"{found} components and {gains} gains do not make the {size} that are asked for"


def wrong_conditions(conditions: Sequence[Condition], sizes: Mapping[str, int]) -> Iterator[str]:
    """Conditions on what cannot be read."""
    for each in conditions:
        if each.of not in sizes:
            yield unknown("observation", each.of, sizes)


def added_up(parts: Sequence[Feedback], read: Read, shape: tuple[int, int]) -> Floats:
    """The sum of the parts, (n, components)."""
    wanted = np.zeros(shape)
    for part in parts:
        source = read(part.of) if part.of else np.array([part.value])
        value = source[:, slice(*part.part)] if part.part else source
        if part.schedule:
            value = value * _scheduled(read, part.schedule, shape[0])
        for factor in part.times:
            value = value * read(factor)
        wanted += shorten(value * np.asarray(part.gain), part.limit)
    return wanted


def shorten(value: Floats, limit: float | None) -> Floats:
    """Vectors (n, components), those longer than the limit made as long as it."""
    if limit is None:
        return value
    length = np.sqrt(np.einsum("ij,ij->i", value, value))
    shortened: Floats = value * np.minimum(1.0, limit / np.maximum(length, 1e-12))[:, None]
    return shortened


def all_hold(conditions: Sequence[Condition], read: Read, count: int) -> NDArray[np.bool_]:
    """In which of the simulations all of them hold, (n,)."""
    together = np.ones(count, np.bool_)
    for each in conditions:
        value, (low, high) = read(each.of), each.bounds
        size = value[:, 0] if value.shape[1] == 1 else np.sqrt(np.einsum("ij,ij->i", value, value))
        together &= (size > low) & (size < high)
    return together


def _scheduled(read: Read, schedule: Schedule, count: int) -> Floats:
    where = [
        _between(read(name)[:, 0], np.array(points))
        for name, points in zip(schedule.by, schedule.at, strict=True)
    ]
    gains = np.pad(np.reshape(schedule.gain, [len(points) for points in schedule.at]), (0, 1), mode="edge")
    found = np.zeros(count)
    for corner in product((0, 1), repeat=len(where)):
        places = tuple(low + side for side, (low, _) in zip(corner, where, strict=True))
        weights = [share if side else 1 - share for side, (_, share) in zip(corner, where, strict=True)]
        found += np.prod(weights, axis=0) * gains[places]
    return found[:, None]


def _between(values: Floats, points: Floats) -> tuple[Indices, Floats]:
    """Which point is at or below each value, and how far it is from there to the next, 0 to 1."""
    last = max(len(points) - 2, 0)
    low = np.clip(np.searchsorted(points, values, side="right") - 1, 0, last)
    step = np.append(np.diff(points), 1.0)[low]
    return low, np.clip((values - points[low]) / step, 0.0, float(len(points) > 1))
