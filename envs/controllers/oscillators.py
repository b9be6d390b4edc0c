"""An estimate of what swings: a bank of oscillators, those count that swing as the sensor says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from envs.controllers.base import Block, Sizes
from envs.controllers.parts import Read
from envs.late import MOST_DELAY
from envs.names import unknown
from envs.values import Finite, Floats, Positive, Reference

__all__ = ["Oscillators"]

FINE = 0.08
"""An oscillator's own step is at most so much of a radian of its swing."""
MOST_COMPONENTS = 4


class Oscillators(Block):
    """How quickly something swings, and how late that is seen: a bank of oscillators is driven as it is.

    Each pair of a frequency and a delay is a hypothesis: x'' = w² (gain * drive - x) - damping x', in each
    component, seen so many steps late. It counts by exp(-S / (2 spread²)), S the sum of the squares of what
    it missed since the job began: Bayes' rule for independent normal noise. Gives `frequency`, Hz, and
    `delay`, steps, the means; and `doubt`, Hz, the deviation of the frequency.

    Attributes:
        of: What swings, as it is sensed.
        driven_by: What makes it swing, over the last step, with as many components.
        gain: Where it would come to rest, under a steady drive of 1.
        frequencies: Hz, rising, below half the control rate.
        delays: Steps.
        damping: 1/s.
        spread: What the right one misses by, in the unit of what swings.
        ahead: What is sensed is so many steps newer than what drives: a rate over a step is half a step old.
    """

    kind: Literal["oscillators"]
    of: Reference
    driven_by: Reference
    gain: Finite
    frequencies: tuple[Positive, ...] = Field(min_length=2, max_length=32)
    delays: tuple[Annotated[int, Field(ge=0, le=MOST_DELAY)], ...] = Field(
        default=(0,), min_length=1, max_length=8
    )
    damping: Annotated[float, Field(ge=0, le=100)] = 0.0
    spread: Positive
    ahead: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _hypotheses_rise(self) -> Oscillators:
        if any(b <= a for each in (self.frequencies, self.delays) for a, b in pairwise(each)):
            raise ValueError("frequencies and delays rise")
        return self

    def outputs(self, sizes: Sizes) -> Sizes:  # noqa: ARG002
        """One number each."""
        return {"frequency": 1, "delay": 1, "doubt": 1}

    def wrong(self, sizes: Sizes, dt: float) -> Iterator[str]:
        """What cannot be read, differs in size, or is too quick for so few steps a second."""
        missing = [name for name in (self.of, self.driven_by) if name not in sizes]
        if missing:
            yield unknown("observation", missing[0], sizes)
        elif sizes[self.of] != sizes[self.driven_by]:
            yield f"{self.of!r} has {sizes[self.of]} components, {self.driven_by!r} {sizes[self.driven_by]}"
        elif sizes[self.of] > MOST_COMPONENTS:
            yield f"{self.of!r} has {sizes[self.of]} components, at most {MOST_COMPONENTS} are followed"
        if self.frequencies[-1] >= 0.5 / dt:
            yield f"nobody who acts {1 / dt:g} times a second sees {self.frequencies[-1]:g} Hz"

    def start(self, sizes: Sizes, dt: float, count: int) -> _Live:  # noqa: ARG002
        """No hypothesis is better than another."""
        return _Live(self, dt)


class _Live:
    """Arrays (n, components, frequencies), and for what was missed (n, frequencies, delays)."""

    def __init__(self, block: Oscillators, dt: float) -> None:
        self._block, self._dt = block, dt
        self._frequencies, self._delays = np.array(block.frequencies), np.array(block.delays, np.float64)
        self._stiffness = (2 * np.pi * self._frequencies) ** 2
        self._substeps = int(np.ceil(np.sqrt(self._stiffness[-1]) * dt / FINE))
        self._place = self._speed = self._missed = np.zeros(0)
        self._past: list[Floats] = []

    def step(self, read: Read) -> Mapping[str, Floats]:
        seen, drive = read(self._block.of)[:, :, None], read(self._block.driven_by)[:, :, None]
        if not self._past:
            self._begin(seen)
        else:
            self._swing(drive)
            for number, delay in enumerate(self._block.delays):
                self._missed[:, :, number] += ((self._past[delay] - seen) ** 2).sum(axis=1)
        return self._estimates()

    def _begin(self, seen: Floats) -> None:
        self._place = np.repeat(seen, len(self._frequencies), axis=2)
        self._speed = np.zeros_like(self._place)
        self._past = [self._place.copy() for _ in range(self._block.delays[-1] + 1)]
        self._missed = np.zeros((len(seen), len(self._frequencies), len(self._delays)))

    def _swing(self, drive: Floats) -> None:
        dt, rest = self._dt / self._substeps, self._block.gain * drive
        for _ in range(self._substeps):
            self._speed += dt * (self._stiffness * (rest - self._place) - self._block.damping * self._speed)
            self._place += dt * self._speed
        now = self._place + self._block.ahead * self._dt * self._speed
        self._past = [now, *self._past[:-1]]

    def _estimates(self) -> Mapping[str, Floats]:
        least = self._missed.min(axis=(1, 2), keepdims=True)
        weight = np.exp((least - self._missed) / (2 * self._block.spread**2))
        weight /= weight.sum(axis=(1, 2), keepdims=True)
        by_frequency = weight.sum(axis=2)
        frequency, delay = by_frequency @ self._frequencies, weight.sum(axis=1) @ self._delays
        variance = (by_frequency * (self._frequencies - frequency[:, None]) ** 2).sum(axis=1)
        found = {"frequency": frequency, "delay": delay, "doubt": np.sqrt(variance)}
        return {name: value[:, None] for name, value in found.items()}
