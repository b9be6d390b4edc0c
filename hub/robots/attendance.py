"""Who is missing: a robot that was at work and has not been heard of for a while is lost, until it returns.

Each loss and each return is recorded once, as an event. A hub that was down heard nobody: so time counts
from the start of this process at the earliest, and robots that had left long before are not missed at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.record import record
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import AssignmentRow, RoundRow
from skills.messages.rounds import FINAL

__all__ = ["Attendance"]

LATELY = timedelta(days=1)
"""Before this process's start: who was not heard of since, and has no round to work on, had left."""

BETWEEN_LOOKS = timedelta(seconds=5)


class Attendance:
    """Looks through the robots. `lost_seconds` is how long one may be silent."""

    def __init__(self, database: Database, clock: Clock, lost_seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._patience = timedelta(seconds=lost_seconds)
        self._started = clock()
        self._next = self._started

    def look(self) -> None:
        """Record who is lost and who has returned; at most every few seconds."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + BETWEEN_LOOKS
        changes = or_(self._is_lost(now), _has_returned())
        with self._database.read() as session:
            if session.scalar(select(RobotRow.robot_id).where(changes).limit(1)) is None:
                return
        with self._database.write() as session:
            self._note(session, session.scalars(select(RobotRow).where(changes).with_for_update()).all(), now)

    def _is_lost(self, now: datetime) -> ColumnElement[bool]:
        if now - self._patience < self._started:
            return RobotRow.robot_id.is_(None)  # nobody yet
        at_work = (
            select(AssignmentRow.robot_id)
            .join(RoundRow, RoundRow.round_id == AssignmentRow.round_id)
            .where(RoundRow.state.not_in(FINAL))
        )
        missed = or_(RobotRow.last_seen_at >= self._started - LATELY, RobotRow.robot_id.in_(at_work))
        silent = RobotRow.last_seen_at < now - self._patience
        return RobotRow.lost_at.is_(None) & RobotRow.closed_at.is_(None) & silent & missed

    def _note(self, session: Session, robots: Sequence[RobotRow], now: datetime) -> None:
        for robot in robots:
            kind = "robot.lost" if robot.lost_at is None else "robot.returned"
            robot.lost_at = now if robot.lost_at is None else None
            record(
                session,
                kind,
                now,
                organisation=robot.organisation,
                robot_id=robot.robot_id,
                embodiment=robot.embodiment,
                last_seen_at=robot.last_seen_at.isoformat() if robot.last_seen_at else None,
            )


def _has_returned() -> ColumnElement[bool]:
    return RobotRow.last_seen_at > RobotRow.lost_at
