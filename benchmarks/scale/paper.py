"""What is simulated for docs/scale.md: robots, halls and skills by decades, and what each comes to; pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarks.scale.costs import Costs
from benchmarks.scale.simulation import Outcome, Plan, simulate_halls
from hub.settings import Settings
from skills.messages.costs import JOULES_OF_KWH, SECONDS_OF_HOUR

__all__ = ["ASSUMED", "HALLS", "ROBOTS", "SKILLS", "Case", "cases", "work_out"]

ROBOTS = (10**3, 10**4, 10**5, 10**6)
HALLS = (1, 10, 100, 1_000)
SKILLS = {"60 kB": 60e3, "60 MB": 60e6, "6 GB": 6e9}
"""Bytes of a skill's file in float32; a delta in fp16 has half as many."""
LEAST_IN_A_HALL = 10
WATTS: float = Settings.model_fields["core_watts"].default
"""Of a busy hardware thread: see docs/costs.md."""


@dataclass(frozen=True)
class Assumed:
    """What is not measured here: robots' training, the gate's length, and each hub's line."""

    train_seconds: float = 60.0
    episodes: int = 256
    link: float = 125e6


ASSUMED = Assumed()


@dataclass(frozen=True)
class Case:
    """One cell of the tables."""

    robots: int
    halls: int
    skill: str
    above: Outcome
    hall: Outcome | None

    @property
    def whole(self) -> Outcome:
        """Of all hubs and robots together; the time is that of the hall above."""
        return self.above.plus(self.hall, self.halls) if self.hall else self.above

    @property
    def spent(self) -> dict[str, float]:
        """Seconds for which each part of the way was taken: in one of the halls, then in the one above."""
        way = self.above.plus(self.hall) if self.hall else self.above
        return {
            "web": way.web - way.looks,
            "looks": way.looks,
            "line": max(way.line_in, way.line_out),
            "merge": way.merging,
            "gate": way.gating,
            "training": ASSUMED.train_seconds,
        }

    @property
    def bottleneck(self) -> str:
        """What took longest."""
        return max(self.spent, key=lambda name: self.spent[name])

    @property
    def hub_core_hours(self) -> float:
        """Of all hubs, for a merged version."""
        found = self.whole
        return (found.web + found.merging + found.gating) / SECONDS_OF_HOUR

    @property
    def robot_core_hours(self) -> float:
        """Of all robots, for a merged version, as assumed."""
        return self.whole.training / SECONDS_OF_HOUR

    @property
    def kwh(self) -> float:
        """Of hubs and robots, for a merged version: an estimate."""
        return (self.hub_core_hours + self.robot_core_hours) * SECONDS_OF_HOUR * WATTS / JOULES_OF_KWH

    @property
    def bytes(self) -> float:
        """In and out of all hubs, for a merged version."""
        return self.whole.received + self.whole.sent

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)

    @classmethod
    def of(cls, found: dict[str, Any]) -> Self:
        """From a file."""
        hall = Outcome(**found["hall"]) if found["hall"] else None
        return cls(**{**found, "above": Outcome(**found["above"]), "hall": hall})


def cases() -> list[tuple[int, int, str]]:
    """Robots, halls and skill of each; halls with too few robots are none."""
    return [
        (robots, halls, skill)
        for skill in SKILLS
        for robots in ROBOTS
        for halls in HALLS
        if robots // halls >= LEAST_IN_A_HALL
    ]


def work_out(robots: int, halls: int, skill: str, costs: Costs, seed: int) -> Case:
    """One of them."""
    size = SKILLS[skill]
    plan = Plan(
        robots=robots,
        rounds=1,
        base_bytes=size,
        delta_bytes=size / 2,
        train_seconds=ASSUMED.train_seconds,
        episodes=ASSUMED.episodes,
        link=ASSUMED.link,
    )
    return Case(robots, halls, skill, *simulate_halls(plan, halls, costs, seed))
