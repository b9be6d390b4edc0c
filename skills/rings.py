"""Which robot is in which ring of a roll-out: the same for the hub that signs the rings and for each robot.

Pure, from signed rings and what a robot knows of itself. A robot's mark is a hash of robot and roll-out, so
it stays where it is as long as the roll-out lasts, and another roll-out begins with others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Member", "RingNote", "RolloutNote", "mark_of", "ring_name", "ring_of"]

MARK = 16
"""Hexadecimal digits."""


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Member(_Note):
    """What decides which ring a robot is in."""

    robot_id: str
    organisation: str
    embodiment: str


class RingNote(_Note):
    """Who is in a ring, as it is signed: nobody's name is in it.

    Attributes:
        below: Robots with a mark below this; None: any.
        embodiments: Only these; empty: any.
        organisations: Marks of the only ones; empty: any.
        robots: Marks of the only ones; None: any.
    """

    below: str | None = None
    embodiments: tuple[str, ...] = ()
    organisations: tuple[str, ...] = ()
    robots: tuple[str, ...] | None = None

    def has(self, rollout: str, member: Member) -> bool:
        """Whether a robot fits."""
        mark = mark_of(rollout, member.robot_id)
        return (
            (self.below is None or mark < self.below)
            and (not self.embodiments or member.embodiment in self.embodiments)
            and (not self.organisations or mark_of(rollout, member.organisation) in self.organisations)
            and (self.robots is None or mark in self.robots)
        )


class RolloutNote(_Note):
    """What a roll-out's target says: its name, from which marks are made, and its rings in order."""

    rollout: str = Field(min_length=1, max_length=64)
    rings: tuple[RingNote, ...] = Field(min_length=1, max_length=10)


def mark_of(rollout: str, name: str) -> str:
    """Of a robot by its id, or of an organisation."""
    return hashlib.sha256(f"{rollout}:{name}".encode()).hexdigest()[:MARK]


def ring_of(rings: Sequence[RingNote], rollout: str, member: Member) -> int | None:
    """The first ring that fits, counted from 0; None: the robot waits for the end of the roll-out."""
    return next((place for place, ring in enumerate(rings) if ring.has(rollout, member)), None)


def ring_name(place: int) -> str:
    """Under which name a ring's pointer is signed, beside the skill's channels."""
    return f"ring-{place}"
