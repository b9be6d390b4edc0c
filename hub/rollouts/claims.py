"""What robots say of a roll-out, kept between two looks: read anew is only who has reported since.

A process's memory, and never the last word: what changes a roll-out is decided on all reports, read once
more in the transaction that changes it (`hub.rollouts.facts`). So that nothing stays unseen where clocks of
several processes differ, or a transaction ended late, looks overlap, and all is read anew now and then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.rollouts.evidence import Claim, claim_of
from hub.rollouts.membership import notes_of, place_of
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import ReportRow, RolloutRow
from skills.messages.reports import Report

__all__ = ["ClaimBook", "Claims", "opened_only"]

OVERLAP = timedelta(seconds=10)
ANEW = timedelta(minutes=10)
Rows = Select[RobotRow, dict[str, Any], datetime]
AT_ONCE = 500
"""Robots asked for in one statement."""


@dataclass
class Claims:
    """Of one roll-out: each robot's ring and claim, when it was heard, and when all and news were read."""

    theirs: dict[str, tuple[int, Claim]] = field(default_factory=dict)
    heard: dict[str, datetime] = field(default_factory=dict)
    all_at: datetime | None = None
    last_at: datetime | None = None

    def by_ring(self, row: RolloutRow) -> list[list[Claim]]:
        """By ring, of robots that are to use the new version."""
        found: list[list[Claim]] = [[] for _ in row.fixed["rings"]]
        for place, claim in self.theirs.values():
            found[place].append(claim)
        return opened_only(row, found)

    def read(self, session: Session, row: RolloutRow, now: datetime) -> None:
        """Bring it up to date."""
        if self.all_at is None or self.last_at is None or now - self.all_at >= ANEW:
            self._forget_all(now)
            self._take(session, row, _reports(row))
        else:
            self._read_news(session, row, self.last_at - OVERLAP)
        self.last_at = now

    def _forget_all(self, now: datetime) -> None:
        self.theirs.clear()
        self.heard.clear()
        self.all_at = now

    def _read_news(self, session: Session, row: RolloutRow, since: datetime) -> None:
        gone = select(RobotRow.robot_id).where(RobotRow.closed_at >= since)
        for robot_id in session.scalars(gone):
            self.theirs.pop(robot_id, None)
        rows = select(ReportRow.robot_id, ReportRow.version, ReportRow.heard_at)
        news: list[str] = []
        for robot_id, version, heard in session.execute(
            rows.where(ReportRow.skill == row.skill, ReportRow.heard_at >= since)
        ):
            if version != row.new:
                self.theirs.pop(robot_id, None)
                self.heard.pop(robot_id, None)
            elif self._is_new(robot_id, heard):
                news.append(robot_id)
        for first in range(0, len(news), AT_ONCE):
            some = ReportRow.robot_id.in_(news[first : first + AT_ONCE])
            self._take(session, row, _reports(row).where(some))

    def _is_new(self, robot_id: str, heard: datetime) -> bool:
        """Of the very moment of the last look there may be more than that look saw."""
        return self.heard.get(robot_id) != heard or self.last_at is None or heard >= self.last_at

    def _take(self, session: Session, row: RolloutRow, rows: Rows) -> None:
        notes = notes_of(row)
        for robot, said, heard in session.execute(rows):
            place = place_of(row, notes, robot)
            if place is not None:
                report = Report.model_validate(said)
                claim = claim_of(robot.embodiment, robot.organisation, report, row.old, row.new)
                self.theirs[robot.robot_id] = place, claim
            self.heard[robot.robot_id] = heard


class ClaimBook:
    """The claims of all roll-outs that are under way, for one process."""

    def __init__(self) -> None:
        self._books: dict[str, Claims] = {}
        self._lock = Lock()

    def by_ring(self, session: Session, row: RolloutRow, now: datetime) -> list[list[Claim]]:
        """By ring, what robots say that use the new version and are to use it."""
        with self._lock:
            book = self._books.setdefault(row.rollout_id, Claims())
            book.read(session, row, now)
            return book.by_ring(row)

    def keep(self, rollouts: set[str]) -> None:
        """Forget all others."""
        with self._lock:
            for each in set(self._books) - rollouts:
                del self._books[each]


def opened_only(row: RolloutRow, claims: list[list[Claim]]) -> list[list[Claim]]:
    """Without those of rings that are not to have the version yet."""
    return [each if at else [] for each, at in zip(claims, row.fixed["opened"], strict=True)]


def _reports(row: RolloutRow) -> Rows:
    """Robots that say they use the new version."""
    theirs = ReportRow.skill == row.skill, ReportRow.version == row.new, RobotRow.closed_at.is_(None)
    rows = select(RobotRow, ReportRow.said, ReportRow.heard_at)
    return rows.join(ReportRow, ReportRow.robot_id == RobotRow.robot_id).where(*theirs)
