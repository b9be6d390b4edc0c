"""Which robot is there for which skill, and which round it was given to work on.

A round without a target waits for those who are there. Robots that ask at once, as they do when a round
opens, are written down in one transaction, which is `hub.rounds.assignments`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Insert, bindparam, select
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.storage.database import DIALECTS, dialect_of, insert_of
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import AssignmentRow, RoundRow

__all__ = ["Presence", "Presences"]

LOOKS = 20
"""So often within the time for which a robot counts as active it is written down that it is."""

ROBOTS: BindParameter[str] = bindparam("robots", expanding=True)
ROUNDS: BindParameter[str] = bindparam("rounds", expanding=True)
ASKED = select(InterestRow.robot_id, InterestRow.skill).where(
    InterestRow.robot_id.in_(ROBOTS),
    InterestRow.skill.in_(bindparam("skills", expanding=True)),
    InterestRow.asked_at > bindparam("since"),
)
GIVEN = select(AssignmentRow.robot_id, AssignmentRow.round_id).where(
    AssignmentRow.robot_id.in_(ROBOTS), AssignmentRow.round_id.in_(ROUNDS)
)
ENROLLED = (
    select(RobotRow.robot_id)
    .where(RobotRow.robot_id.in_(ROBOTS), RobotRow.closed_at.is_(None))
    .order_by(RobotRow.robot_id)
    .with_for_update(read=True, key_share=True)
)
OPEN = select(RoundRow.round_id).where(RoundRow.round_id.in_(ROUNDS), RoundRow.state == "open")
ASSIGNED = {dialect: insert_of(dialect, AssignmentRow).on_conflict_do_nothing() for dialect in DIALECTS}


def _interested(dialect: str) -> Insert:
    new = insert_of(dialect, InterestRow)
    keys = [InterestRow.robot_id, InterestRow.skill]
    return new.on_conflict_do_update(index_elements=keys, set_={"asked_at": new.excluded.asked_at})


INTERESTED = {dialect: _interested(dialect) for dialect in DIALECTS}


@dataclass(frozen=True)
class Presence:
    """A robot asks for work on a skill and is given a round, or none (empty)."""

    robot_id: str
    skill: str
    round_id: str


class Presences:
    """Written when it is no longer nearly true, and not each time that a robot asks."""

    def __init__(self, clock: Clock, active_seconds: float) -> None:
        self._clock = clock
        self._nearly = timedelta(seconds=active_seconds / LOOKS)

    def unnoted(self, session: Session, those: Sequence[Presence]) -> list[Presence]:
        """Those of these that are not known yet, or nearly no longer true."""
        since, robots = self._clock() - self._nearly, {each.robot_id for each in those}
        skills, rounds = {each.skill for each in those}, {each.round_id for each in those} - {""}
        asked = {"robots": sorted(robots), "skills": sorted(skills), "rounds": sorted(rounds), "since": since}
        known = {tuple(row) for row in session.execute(ASKED, asked)} if those else set()
        known |= {tuple(row) for row in session.execute(GIVEN, asked)} if rounds else set()
        return [each for each in those if not {*_pairs(each)} <= known]

    def note(self, session: Session, those: Sequence[Presence]) -> set[str]:
        """Write them down; returns the rounds that are no longer open."""
        if not those:
            return set()
        now = self._clock()
        enrolled = _enrolled(session, {each.robot_id for each in those})
        there = [each for each in those if each.robot_id in enrolled]
        _insert_interests(session, there, now)
        rounds = {each.round_id for each in those} - {""}
        still_open = _open(session, rounds) if rounds else set()
        _insert_assignments(session, [each for each in there if each.round_id in still_open], now)
        return rounds - still_open


def _pairs(presence: Presence) -> Iterator[tuple[str, str]]:
    yield presence.robot_id, presence.skill
    if presence.round_id:
        yield presence.robot_id, presence.round_id


def _enrolled(session: Session, robot_ids: set[str]) -> set[str]:
    """Those that are enrolled, and stay so until the end of this transaction."""
    return set(session.scalars(ENROLLED, {"robots": sorted(robot_ids)}))


def _open(session: Session, round_ids: set[str]) -> set[str]:
    return set(session.scalars(OPEN, {"rounds": sorted(round_ids)}))


def _insert_interests(session: Session, those: Sequence[Presence], now: datetime) -> None:
    pairs = sorted({(each.robot_id, each.skill) for each in those})  # in one order, as other processes do
    if pairs:
        rows = [{"robot_id": robot_id, "skill": skill, "asked_at": now} for robot_id, skill in pairs]
        session.execute(INTERESTED[dialect_of(session)], rows)


def _insert_assignments(session: Session, those: Sequence[Presence], now: datetime) -> None:
    pairs = sorted({(each.round_id, each.robot_id) for each in those})
    if pairs:
        names = ("round_id", "robot_id")
        rows = [dict(zip(names, pair, strict=True)) | {"assigned_at": now} for pair in pairs]
        session.execute(ASSIGNED[dialect_of(session)], rows)
