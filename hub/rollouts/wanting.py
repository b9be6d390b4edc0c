"""Which version robots that ask for a skill are to use, and in which ring of a roll-out they are.

Inside the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from hub.catalogue.channels import stable_of
from hub.rollouts.journal import under_way
from hub.rollouts.membership import notes_of, place_of, wanted_by
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import RolloutRow
from skills.rings import RingNote

__all__ = ["Rings", "Wanting"]


@dataclass(frozen=True)
class Rings:
    """The rings of one roll-out; of none where there is none."""

    row: RolloutRow | None
    notes: tuple[RingNote, ...] = ()

    @classmethod
    def of(cls, row: RolloutRow | None) -> Rings:
        """Read once for many robots."""
        return cls(row, tuple(notes_of(row)) if row is not None else ())

    def ring(self, robot: RobotRow) -> int | None:
        """The robot's ring, from 1."""
        place = None if self.row is None else place_of(self.row, self.notes, robot)
        return None if place is None else place + 1


@dataclass(frozen=True)
class Wanting:
    """What a skill's stable channel and the roll-out under way ask for."""

    rings: Rings
    stable: int | None

    @classmethod
    def of(cls, session: Session, skill: str) -> Wanting:
        """As it stands now."""
        stable = stable_of(session, skill)
        return cls(Rings.of(under_way(session, skill)), stable.number if stable else None)

    def version(self, robot: RobotRow) -> int | None:
        """The one that a robot is to use; None where nothing is stable."""
        row = self.rings.row
        return self.stable if row is None else wanted_by(row, self.rings.notes, robot)
