"""An input shaper: a command in two parts, half a period apart, whose swings cancel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from envs.controllers.base import Block, Sizes
from envs.controllers.parts import Read
from envs.names import unknown
from envs.values import Floats, Positive, Reference

__all__ = ["Shaper"]

MOST_STEPS = 256
"""That a shaper remembers."""


class Shaper(Block):
    """A command split in two, half a period apart, so that what hangs on it does not go on swinging.

    The zero-vibration shaper (Singer and Seering 1990): 1 / (1 + K) at once and K / (1 + K) half a damped
    period later, K = exp(-pi z / sqrt(1 - z²)). Before the job the command was 0.

    Attributes:
        of: The command.
        frequency: Of what swings, Hz: a number, or what a block estimates.
        damping: Its ratio z.
        longest: s; a half period that is longer is taken as so long.
    """

    kind: Literal["shaper"]
    of: Reference
    frequency: Positive | Reference
    damping: Annotated[float, Field(ge=0, lt=1)] = 0.0
    longest: Positive

    def outputs(self, sizes: Sizes) -> Sizes:
        """As many components as the command."""
        return {"": sizes.get(self.of, 1)}

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:
        """What cannot be read, or more steps than are remembered."""
        if self.of not in sizes:
            yield unknown("observation", self.of, sizes)
        if isinstance(self.frequency, str) and sizes.get(self.frequency) != 1:
            yield f"{self.frequency!r} is no observation of one component"
        if self.longest / dt > MOST_STEPS:
            yield f"{self.longest:g} s are {self.longest / dt:.0f} steps, {MOST_STEPS} can be remembered"

    def start(self, sizes: Sizes, dt: float, count: int) -> _Live:
        """Nothing was commanded yet."""
        return _Live(self, dt, (count, sizes[self.of]))


class _Live:
    def __init__(self, block: Shaper, dt: float, shape: tuple[int, int]) -> None:
        self._block, self._dt = block, dt
        self._most = int(np.ceil(block.longest / dt))
        self._past = np.zeros((self._most + 2, *shape))
        """Row 0 is now."""
        slow = np.sqrt(1 - block.damping**2)
        self._slower, left = slow, np.exp(-np.pi * block.damping / slow)
        self._first = 1 / (1 + left)

    def step(self, read: Read) -> Mapping[str, Floats]:
        self._past = np.roll(self._past, 1, axis=0)
        self._past[0] = now = read(self._block.of)
        frequency = self._block.frequency
        hertz = read(frequency)[:, 0] if isinstance(frequency, str) else np.full(len(now), frequency)
        half = 0.5 / (np.maximum(hertz, 1e-9) * self._slower)
        steps = np.minimum(half, self._block.longest) / self._dt
        earlier, rows = steps.astype(np.int64), np.arange(len(now))
        share = (steps - earlier)[:, None]
        late = (1 - share) * self._past[earlier, rows] + share * self._past[earlier + 1, rows]
        return {"": self._first * now + (1 - self._first) * late}
