"""Blocks that turn one signal into another: sums, means, rates, integrals, limits, what was at a moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from envs.conditions import Condition
from envs.controllers.base import Block, Sizes
from envs.controllers.parts import Feedback, Read, added_up, all_hold, wrong_conditions, wrong_part
from envs.names import unknown
from envs.values import Floats, Positive, Reference

__all__ = ["Hold", "Integral", "Mix", "Rate", "Slew", "Smooth"]


class Mix(Block):
    """A sum of parts, as an action is one, for other blocks to read; with a `schedule`, a table.

    Attributes:
        parts: What is added up.
        size: Components of the sum.
    """

    kind: Literal["mix"]
    parts: tuple[Feedback, ...] = Field(min_length=1, max_length=64)
    size: Annotated[int, Field(ge=1, le=16)] = 1

    def outputs(self, sizes: Sizes) -> Sizes:  # noqa: ARG002
        """The sum."""
        return {"": self.size}

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:  # noqa: ARG002
        """Parts that do not make so many components."""
        for part in self.parts:
            yield from wrong_part(part, sizes, self.size)

    def start(self, sizes: Sizes, dt: float, count: int) -> _LiveMix:  # noqa: ARG002
        """Nothing is remembered."""
        return _LiveMix(self, count)


class _LiveMix:
    def __init__(self, block: Mix, count: int) -> None:
        self._parts, self._shape = block.parts, (count, block.size)

    def step(self, read: Read) -> Mapping[str, Floats]:
        return {"": added_up(self._parts, read, self._shape)}


class _OfOne(Block):
    """A block that reads one signal and gives one of as many components."""

    of: Reference

    def outputs(self, sizes: Sizes) -> Sizes:
        """As many components as it reads."""
        return {"": sizes.get(self.of, 1)}

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:  # noqa: ARG002
        """That there is nothing of that name to read."""
        if self.of not in sizes:
            yield unknown("observation", self.of, sizes)

    def start(self, sizes: Sizes, dt: float, count: int) -> _LiveOfOne:  # noqa: ARG002
        """Nothing was read yet."""
        return _LiveOfOne(self, dt)

    def next(self, now: Floats, last: Floats, given: Floats, dt: float) -> Floats:
        """What it gives.

        Args:
            now: What it reads.
            last: What it read a step before; in the first the same.
            given: What it gave a step before; in the first 0.
            dt: Between them, s.
        """
        raise NotImplementedError


class _LiveOfOne:
    def __init__(self, block: _OfOne, dt: float) -> None:
        self._block, self._dt = block, dt
        self._last: Floats | None = None
        self._given = np.zeros(1)

    def step(self, read: Read) -> Mapping[str, Floats]:
        now = read(self._block.of)
        self._given = self._block.next(now, now if self._last is None else self._last, self._given, self._dt)
        self._last = now
        return {"": self._given}


class Smooth(_OfOne):
    """A running mean of what it reads: `share` of the newest value at each step, from 0 on.

    Attributes:
        of: What is smoothed.
        share: Of the newest value.
    """

    kind: Literal["smooth"]
    share: Annotated[float, Field(gt=0, le=1)]

    def next(self, now: Floats, last: Floats, given: Floats, dt: float) -> Floats:  # noqa: ARG002
        """See the class."""
        smoothed: Floats = given + self.share * (now - given)
        return smoothed


class Rate(_OfOne):
    """How what it reads changed over the last step, per second; 0 in the first.

    Attributes:
        of: What changes.
    """

    kind: Literal["rate"]

    def next(self, now: Floats, last: Floats, given: Floats, dt: float) -> Floats:  # noqa: ARG002
        """See the class."""
        return (now - last) / dt


class Integral(_OfOne):
    """The sum of what it reads over time, in its unit times seconds.

    Attributes:
        of: What is summed up.
        limit: Each component stays within ± so much, so that nothing winds up.
    """

    kind: Literal["integral"]
    limit: Positive

    def next(self, now: Floats, last: Floats, given: Floats, dt: float) -> Floats:  # noqa: ARG002
        """See the class."""
        return np.clip(given + now * dt, -self.limit, self.limit)


class Slew(_OfOne):
    """Follows what it reads from 0 on, each component by at most `most` a second.

    Attributes:
        of: What is followed.
        most: In its unit, per second.
    """

    kind: Literal["slew"]
    most: Positive

    def next(self, now: Floats, last: Floats, given: Floats, dt: float) -> Floats:  # noqa: ARG002
        """See the class."""
        moved: Floats = given + np.clip(now - given, -self.most * dt, self.most * dt)
        return moved


class Hold(Block):
    """Follows what it reads while all conditions hold, and keeps what was then: a place, an estimate.

    Attributes:
        of: What is kept.
        when: While these hold at once it is followed; in the first step it always is.
    """

    kind: Literal["hold"]
    of: Reference
    when: tuple[Condition, ...] = Field(min_length=1, max_length=16)

    def outputs(self, sizes: Sizes) -> Sizes:
        """As many components as it reads."""
        return {"": sizes.get(self.of, 1)}

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:  # noqa: ARG002
        """What cannot be read."""
        if self.of not in sizes:
            yield unknown("observation", self.of, sizes)
        yield from wrong_conditions(self.when, sizes)

    def start(self, sizes: Sizes, dt: float, count: int) -> _LiveHold:  # noqa: ARG002
        """Nothing was read yet."""
        return _LiveHold(self)


class _LiveHold:
    def __init__(self, block: Hold) -> None:
        self._block = block
        self._kept: Floats | None = None

    def step(self, read: Read) -> Mapping[str, Floats]:
        now = read(self._block.of)
        follows = all_hold(self._block.when, read, len(now))[:, None]
        self._kept = now if self._kept is None else np.where(follows, now, self._kept)
        return {"": self._kept}
