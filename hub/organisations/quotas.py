"""Quotas: what an organisation may use, held to in the transaction that uses it.

Each check takes a row that `hold` has locked, so that whoever comes at the same time waits and then sees what
is used. How large a body may be is asked before it is read, by `hub.api.uploads`; limits are set by
`hub.organisations.registry`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CTE, BindParameter, ColumnElement, Select, and_, bindparam, func, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session

from hub.access.principal import THE_HUB
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow
from hub.storage.tables.scores import ConfirmationRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from skills.errors import ForbiddenError, TooLargeError, TooManyRequestsError
from skills.messages.organisations import Use

__all__ = [
    "check_campaigns",
    "check_robots",
    "check_room",
    "check_uploads",
    "hold",
    "keep",
    "uploads_of",
    "uses_of",
]

WINDOW = timedelta(hours=1)
HELD = (
    select(OrganisationRow)
    .where(OrganisationRow.name.in_(bindparam("names", expanding=True)))
    .order_by(OrganisationRow.name)
    .with_for_update()
    .execution_options(populate_existing=True)
)


def hold(session: Session, *names: str) -> dict[str, OrganisationRow]:
    """Organisations by name, locked until the transaction ends; in one order, so that none waits in a circle.

    Leases, rounds, campaigns and enrolment tokens are locked before, the event log and skills after.
    """
    rows = session.scalars(HELD, {"names": sorted(names)})
    return {row.name: row for row in rows}


def check_room(row: OrganisationRow, size: int) -> None:
    """Hold so many more bytes to what may be stored.

    Raises:
        TooLargeError: There is no room for them.
    """
    if row.storage_limit is not None and row.stored_bytes + size > row.storage_limit:
        raise TooLargeError(
            f"the organisation that owns this has no room for {size} bytes more.",
            remedy="Ask an admin of the hub for room: zunft organisation set NAME --storage 20GB.",
            code="quota_storage",
        )


def keep(row: OrganisationRow, size: int) -> None:
    """Count bytes that are stored for a held organisation from now on; fewer than 0 are given back.

    Raises:
        TooLargeError: There is no room for them.
    """
    check_room(row, size)
    row.stored_bytes += size


def uploads_of(session: Session, rows: Iterable[OrganisationRow], now: datetime) -> Counter[str]:
    """How many uploads came within the last hour from each organisation that has a limit: one statement."""
    limited = [row.name for row in rows if row.uploads_limit is not None]
    return Counter(_counted(session, UPLOADS_OF, limited, now) if limited else {})


def check_uploads(session: Session, row: OrganisationRow, now: datetime, used: int | None = None) -> None:
    """Hold one more delta, version, task or confirmation to what may come within an hour.

    Args:
        session: A transaction.
        row: Of the organisation.
        now: The time.
        used: So many came, by `uploads_of`, or come in this transaction before this one; None: counted here.

    Raises:
        TooManyRequestsError: Not yet; it says when.
    """
    limit = row.uploads_limit
    if limit is None:
        return
    used = uploads_of(session, [row], now)[row.name] if used is None else used
    if used < limit:
        return
    # There is a place once all but `limit - 1` of them are older than an hour.
    last = session.scalar(
        LAST_UPLOAD, {"names": [row.name], "since": now - WINDOW, "passed_over": used - limit}
    )
    raise TooManyRequestsError(
        f"{row.name} has sent {limit} uploads within an hour, which is all that it may.",
        remedy="Send it again later, or ask an admin of the hub for a larger quota.",
        code="quota_uploads",
        retry_after=((last or now) + WINDOW - now).total_seconds(),
    )


def check_robots(session: Session, row: OrganisationRow) -> None:
    """Hold one more robot to what may be enrolled.

    Raises:
        ForbiddenError: There may be no more.
    """
    _check_count(session, "robots", ROBOTS_OF, row, row.robots_limit)


def check_campaigns(session: Session, row: OrganisationRow) -> None:
    """Hold one more campaign to what may run at a time.

    Raises:
        ForbiddenError: There may be no more.
    """
    _check_count(session, "campaigns", CAMPAIGNS_OF, row, row.campaigns_limit)


def uses_of(session: Session, rows: Sequence[OrganisationRow], now: datetime) -> list[Use]:
    """What each organisation uses."""
    names = [row.name for row in rows]
    robots, campaigns, uploads = (
        _counted(session, each, names, now) for each in (ROBOTS_OF, CAMPAIGNS_OF, UPLOADS_OF)
    )
    return [
        Use(
            robots=robots.get(row.name, 0),
            storage_bytes=row.stored_bytes,
            uploads_per_hour=uploads.get(row.name, 0),
            campaigns=campaigns.get(row.name, 0),
        )
        for row in rows
    ]


def _check_count(
    session: Session, what: str, theirs: Select[Any], row: OrganisationRow, limit: int | None
) -> None:
    """Counts only where there is a limit: there may be very many."""
    if limit is None:
        return
    used = _counted(session, theirs, [row.name]).get(row.name, 0)
    if used >= limit:
        raise ForbiddenError(
            f"the organisation has {used} {what}, and may have {limit}.",
            remedy=f"Ask an admin of the hub for more: zunft organisation set NAME --{what} {limit + 1}.",
            code=f"quota_{what}",
        )


def _counted(
    session: Session, counts: Select[Any], names: Sequence[str], now: datetime | None = None
) -> dict[str, int]:
    """How many of these each organisation has, where it has any; of uploads, within an hour before now."""
    since = now - WINDOW if now is not None else None
    return dict(session.execute(counts, {"names": names, "since": since}).all())


# Put together once, because pushes ask so.
THOSE: BindParameter[str] = bindparam("names", expanding=True)
SINCE: BindParameter[datetime] = bindparam("since")


def _recent(
    of: InstrumentedAttribute[str], at: InstrumentedAttribute[datetime], condition: ColumnElement[bool]
) -> CTE:
    found = select(of.label("of"), at.label("at")).where(condition)
    return found.cte(f"recent_{of.class_.__tablename__}").prefix_with("MATERIALIZED")


def _uploads() -> Select[Any]:
    """When each upload of the last hour came: robots' deltas, what users published and confirmed."""
    # What is recent first: databases would rather read all that an organisation ever published.
    delta = _recent(DeltaRow.robot_id, DeltaRow.received_at, DeltaRow.received_at > SINCE)
    version = _recent(
        VersionRow.skill,
        VersionRow.created_at,
        and_(VersionRow.created_at > SINCE, VersionRow.published_by != THE_HUB.actor),
    )
    task = _recent(TaskVersionRow.task, TaskVersionRow.created_at, TaskVersionRow.created_at > SINCE)
    score = _recent(
        ConfirmationRow.organisation, ConfirmationRow.confirmed_at, ConfirmationRow.confirmed_at > SINCE
    )
    deltas = select(RobotRow.organisation, delta.c.at).join(delta, delta.c.of == RobotRow.robot_id)
    versions = select(SkillRow.organisation, version.c.at).join(version, version.c.of == SkillRow.name)
    tasks = select(TaskRow.organisation, task.c.at).join(task, task.c.of == TaskRow.name)
    found = union_all(
        deltas.where(RobotRow.organisation.in_(THOSE)),
        versions.where(SkillRow.organisation.in_(THOSE)),
        tasks.where(TaskRow.organisation.in_(THOSE)),
        select(score.c.of.label("organisation"), score.c.at).where(score.c.of.in_(THOSE)),
    ).subquery()
    return select(found.c.organisation, found.c.at)


def _campaigns() -> Select[Any]:
    """Campaigns that run."""
    of_skills = select(SkillRow.organisation).join(CampaignRow, CampaignRow.skill == SkillRow.name)
    return of_skills.where(SkillRow.organisation.in_(THOSE), CampaignRow.state == "running")


def _count(those: Select[Any]) -> Select[Any]:
    """How many rows of each organisation; the first column is its name."""
    found = those.subquery()
    name = found.c[0]
    return select(name, func.count()).group_by(name)


UPLOADS = _uploads().subquery()
UPLOADS_OF = _count(_uploads())
LAST_UPLOAD = select(UPLOADS.c.at).order_by(UPLOADS.c.at).offset(bindparam("passed_over")).limit(1)
ROBOTS_OF = _count(
    select(RobotRow.organisation).where(RobotRow.organisation.in_(THOSE), RobotRow.closed_at.is_(None))
)
CAMPAIGNS_OF = _count(_campaigns())
