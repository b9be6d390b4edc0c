"""The roster: which robots there are, where each stands, and what each has contributed; reads only.

Where a robot stands is told from when it was last heard of; that it is missed is `hub.robots.attendance`'s
finding, and how it joins `hub.robots.enrolment`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.access.visibility import seen_robots, seen_skills
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.paging import Order, Statement, containing, page_of
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from skills.errors import NotFoundError
from skills.messages.costs import SECONDS_CLAIMED
from skills.messages.lists import ListQuery, Page, RobotQuery
from skills.messages.robots import Contribution, Refusal, RobotCounts, RobotState, RobotView

__all__ = ["ROBOT_ORDER", "Roster", "listed_robots"]

ROBOT_ORDER = Order("robots", (RobotRow.enrolled_at, RobotRow.robot_id))
CONTRIBUTION_ORDER = Order("contributions", (DeltaRow.received_at, DeltaRow.digest), descending=True)


@dataclass(frozen=True)
class Roster:
    """Reads it; each call is its own transaction. Online is who was heard of within `active_seconds`."""

    database: Database
    clock: Clock
    active_seconds: float

    def robots(self, viewer: Viewer, query: RobotQuery) -> Page[RobotView]:
        """Robots that the viewer sees, in the order in which they joined."""
        lately = self.lately()
        with self.database.read() as session:
            found = listed_robots(viewer, query, lately)
            view = partial(_view, lately=lately)
            return page_of(session, found, ROBOT_ORDER, query, lambda rows: (view(row[0]) for row in rows))

    def robot(self, robot_id: str, viewer: Viewer) -> RobotView:
        """One robot.

        Raises:
            NotFoundError: No such robot.
        """
        with self.database.read() as session:
            return _view(_find(session, robot_id, viewer), lately=self.lately())

    def counts(self, viewer: Viewer) -> RobotCounts:
        """How many robots stand where, of those that the viewer sees."""
        lately = self.lately()
        columns = [_count(_stands(state, lately)).label(state) for state in ("new", "online", "away", "lost")]
        columns.append(_count(RobotRow.refusal.is_not(None)).label("refusing"))
        columns.append(func.count().label("robots"))
        theirs = select(*columns).where(seen_robots(viewer), RobotRow.closed_at.is_(None))
        with self.database.read() as session:
            found = session.execute(theirs).one()
        return RobotCounts.model_validate(dict(found._mapping))  # noqa: SLF001 - public, says SQLAlchemy

    def contributions(self, robot_id: str, viewer: Viewer, query: ListQuery) -> Page[Contribution]:
        """What a robot sent that counted, newest first; of robots and skills that the viewer sees."""
        # By way of the skills that it asked for: deltas have an index by round, none by robot.
        sent = (
            select(DeltaRow, CampaignRow.skill, RoundRow.campaign_id, RoundRow.number)
            .select_from(InterestRow)
            .join(CampaignRow, CampaignRow.skill == InterestRow.skill)
            .join(RoundRow, RoundRow.campaign_id == CampaignRow.campaign_id)
            .join(DeltaRow, DeltaRow.round_id == RoundRow.round_id)
            .join(RobotRow, RobotRow.robot_id == InterestRow.robot_id)
            .where(InterestRow.robot_id == robot_id, DeltaRow.robot_id == robot_id, seen_robots(viewer))
            .where(CampaignRow.skill.in_(seen_skills(viewer)))
        )
        with self.database.read() as session:
            return page_of(
                session,
                sent,
                CONTRIBUTION_ORDER,
                query,
                lambda rows: (_contribution(row[0], *row[1:4]) for row in rows),
            )

    def lately(self) -> datetime:
        """Who was heard of since then is online."""
        return self.clock() - timedelta(seconds=self.active_seconds)


def listed_robots(viewer: Viewer, query: RobotQuery, lately: datetime) -> Statement:
    """Robots that the viewer sees and asked for; none that was withdrawn."""
    found = select(RobotRow).where(seen_robots(viewer), RobotRow.closed_at.is_(None))
    if query.text:
        found = found.where(containing(query.text, RobotRow.robot_id, RobotRow.name))
    if query.organisation:
        found = found.where(RobotRow.organisation == query.organisation)
    if query.embodiment:
        found = found.where(RobotRow.embodiment == query.embodiment)
    if query.state:
        found = found.where(_stands(query.state, lately))
    if query.refusing is not None:
        refusing = RobotRow.refusal.is_not(None)
        found = found.where(refusing if query.refusing else ~refusing)
    return found


def _stands(state: RobotState, lately: datetime) -> ColumnElement[bool]:
    """`_state` as a condition on rows."""
    seen, present = RobotRow.last_seen_at, RobotRow.lost_at.is_(None)
    match state:
        case "new":
            return present & seen.is_(None)
        case "online":
            return present & (seen >= lately)
        case "away":
            return present & (seen < lately)
        case "lost":
            return ~present


def _state(row: RobotRow, lately: datetime) -> RobotState:
    if row.lost_at is not None:
        return "lost"
    if row.last_seen_at is None:
        return "new"
    return "online" if row.last_seen_at >= lately else "away"


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(condition)


def _find(session: Session, robot_id: str, viewer: Viewer) -> RobotRow:
    row = session.scalar(select(RobotRow).where(RobotRow.robot_id == robot_id, seen_robots(viewer)))
    if row is None:
        raise NotFoundError(f"there is no robot {robot_id[:64]!r}.", where="robot_id")
    return row


def _view(row: RobotRow, *, lately: datetime) -> RobotView:
    return RobotView(
        robot_id=row.robot_id,
        name=row.name,
        organisation=row.organisation,
        embodiment=row.embodiment,
        enrolled_at=row.enrolled_at,
        last_seen_at=row.last_seen_at,
        refusal=Refusal.model_validate(row.refusal) if row.refusal else None,
        state=_state(row, lately),
        lost_at=row.lost_at,
        withdrawn=row.closed_at is not None,
    )


def _contribution(row: DeltaRow, skill: str, campaign_id: str, number: int) -> Contribution:
    return Contribution(
        skill=skill,
        campaign_id=campaign_id,
        round_id=row.round_id,
        number=number,
        samples=row.samples,
        size=row.size,
        staleness=row.staleness,
        received_at=row.received_at,
        robot_seconds=row.metrics.get(SECONDS_CLAIMED),
    )
