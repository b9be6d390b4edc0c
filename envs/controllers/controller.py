"""A controller as a `task.toml` says it: what is added up for each action, blocks that remember, phases.

Most are sums alone. How one acts is `envs.scripted`, what its names lead to `envs.controllers.check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from envs.conditions import Condition
from envs.controllers.filters import Hold, Integral, Mix, Rate, Slew, Smooth
from envs.controllers.oscillators import Oscillators
from envs.controllers.parts import Feedback
from envs.controllers.shaper import Shaper
from envs.values import Key, Positive, Reference, Section

__all__ = ["BLOCKS", "CLOCKS", "AnyController", "Controller", "Phase", "Sides", "full"]

BLOCKS = (Hold, Integral, Mix, Oscillators, Rate, Shaper, Slew, Smooth)
AnyBlock = Annotated[
    Hold | Integral | Mix | Oscillators | Rate | Shaper | Slew | Smooth, Field(discriminator="kind")
]
CLOCKS = ("clock.job", "clock.phase")
"""What every controller may read: seconds since the job began, and since its phase did."""
Sides = Mapping[Key, tuple[Feedback, ...]]
"""For each action the parts that are added up."""
FewSides = dict[Key, Annotated[tuple[Feedback, ...], Field(max_length=64)]]


class Phase(Section):
    """A phase of a controller: what it does, and when the next one begins.

    Attributes:
        act: For each action the parts that are added up, to those of the whole controller.
        limits: By action the greatest length of what is commanded in this phase.
        until: When all of these hold at once the next phase begins; the last one ends with the job.
        longest: s; after so long the next begins whatever holds.
    """

    act: FewSides = Field(default={}, max_length=16)
    limits: dict[Key, Positive] = Field(default={}, max_length=16)
    until: tuple[Condition, ...] = Field(default=(), max_length=16)
    longest: Positive | None = None


class Controller(Section):
    """A controller with more to it than a sum of parts: blocks that remember, phases, limits.

    It reads observations, what blocks before give by their names, and the clocks `clock.job` and
    `clock.phase`, s. A controller that is only a sum lists its actions without `act`.

    Attributes:
        blocks: What it remembers, by name; each may read those before it.
        act: For each action the parts that are added up, in all phases.
        limits: By action the greatest length of what is commanded; more is shortened.
        phases: By name, in order; a job begins in the first.
        oracle: Instead of `act` and phases: it acts as the oracle would who is told these, by what it reads.
    """

    blocks: dict[Key, AnyBlock] = Field(default={}, max_length=16)
    act: FewSides = Field(default={}, max_length=16)
    limits: dict[Key, Positive] = Field(default={}, max_length=16)
    phases: dict[Key, Phase] = Field(default={}, max_length=8)
    oracle: dict[Key, Reference] = Field(default={}, max_length=16)

    @model_validator(mode="after")
    def _acts_in_one_way(self) -> Controller:
        if bool(self.oracle) == bool(self.act or self.phases or self.limits):
            raise ValueError("give act, phases or both; or oracle")
        *before, last = [*self.phases.items()] or [("", Phase())]
        for name, phase in before:
            if not phase.until and phase.longest is None:
                raise ValueError(f"phase {name!r} never ends: give until or longest")
        if last[1].until or last[1].longest is not None:
            raise ValueError(f"phase {last[0]!r} is the last and ends with the job")
        return self

    @property
    def remembers(self) -> bool:
        """Whether what it does depends on more than what it observes now."""
        reads = {name for _, parts in self.all_sides() for part in parts for name in part.reads()}
        return bool(self.blocks or self.phases or {*reads, *self.oracle.values()} & {*CLOCKS})

    def all_sides(self) -> Iterator[tuple[tuple[str, ...], tuple[Feedback, ...]]]:
        """Each action's parts with their place in the file."""
        yield from ((("act", action), parts) for action, parts in self.act.items())
        for name, phase in self.phases.items():
            yield from ((("phases", name, "act", action), parts) for action, parts in phase.act.items())


def _form(value: Any) -> str:
    has_sections = isinstance(value, Mapping) and any(isinstance(each, Mapping) for each in value.values())
    return "controller" if has_sections or isinstance(value, Controller) else "sides"


AnyController = Annotated[
    Annotated[dict[Key, tuple[Feedback, ...]], Field(max_length=16), Tag("sides")]
    | Annotated[Controller, Tag("controller")],
    Discriminator(_form),
]
"""Sums by action, as most are; or a whole controller."""


def full(given: Sides | Controller) -> Controller:
    """A controller in the long form."""
    # A sum of an older file may have any number of parts: nothing is checked again.
    return given if isinstance(given, Controller) else Controller.model_construct(act=dict(given))
