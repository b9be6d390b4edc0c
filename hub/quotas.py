"""Quotas: what an organisation may use, held to in the transaction that uses it.

Each check takes a row that `hold` has locked, so that whoever comes at the same time waits and then sees what
is used. How large a body may be is asked before it is read, by `hub.api.uploads`; limits are set by
`hub.organisations`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from hub.auth import THE_HUB
from hub.models import CampaignRow, DeltaRow, OrganisationRow, RobotRow, SkillRow, VersionRow
from hub.tasks.models import TaskRow, TaskVersionRow
from skills.errors import ForbiddenError, TooLargeError, TooManyRequestsError
from skills.organisations import Use

__all__ = ["check_campaigns", "check_robots", "check_room", "check_uploads", "hold", "keep", "use_of"]

WINDOW = timedelta(hours=1)


def hold(session: Session, *names: str) -> dict[str, OrganisationRow]:
    """Organisations by name, locked until the transaction ends; in one order, so that none waits in a circle.

    Leases, rounds, campaigns and enrolment tokens are locked before, the event log and skills after.
    """
    statement = select(OrganisationRow).where(OrganisationRow.name.in_(names)).order_by(OrganisationRow.name)
    rows = session.scalars(statement.with_for_update().execution_options(populate_existing=True))
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


def check_uploads(session: Session, row: OrganisationRow, now: datetime, coming: int = 0) -> None:
    """Hold one more delta or version to what may come within an hour.

    Args:
        session: A transaction.
        row: Of the organisation.
        now: The time.
        coming: So many more come in this transaction, and are not written yet.

    Raises:
        TooManyRequestsError: Not yet; it says when.
    """
    limit = row.uploads_limit
    if limit is None:
        return
    times = _uploads(row.name, now).subquery()
    # While the oldest of the last `limit` is within the hour, there is no place for another.
    last = select(times.c.received_at).order_by(times.c.received_at.desc())
    oldest = session.scalar(last.offset(limit - 1 - coming).limit(1)) if limit > coming else now
    if oldest is not None:
        raise TooManyRequestsError(
            f"{row.name} has sent {limit} deltas, skills and tasks within an hour, which is all that it may.",
            remedy="Send it again later, or ask an admin of the hub for a larger quota.",
            code="quota_uploads",
            retry_after=(oldest + WINDOW - now).total_seconds(),
        )


def check_robots(session: Session, row: OrganisationRow) -> None:
    """Hold one more robot to what may be enrolled.

    Raises:
        ForbiddenError: There may be no more.
    """
    _check_count("robots", session.scalar(_robots(row.name)), row.robots_limit)


def check_campaigns(session: Session, row: OrganisationRow) -> None:
    """Hold one more campaign to what may run at a time.

    Raises:
        ForbiddenError: There may be no more.
    """
    _check_count("campaigns", session.scalar(_campaigns(row.name)), row.campaigns_limit)


def use_of(session: Session, row: OrganisationRow, now: datetime) -> Use:
    """What an organisation uses."""
    uploads = _uploads(row.name, now).subquery()
    return Use(
        robots=session.scalar(_robots(row.name)) or 0,
        storage_bytes=row.stored_bytes,
        uploads_per_hour=session.scalar(select(func.count()).select_from(uploads)) or 0,
        campaigns=session.scalar(_campaigns(row.name)) or 0,
    )


def _check_count(what: str, used: int | None, limit: int | None) -> None:
    if limit is not None and (used or 0) >= limit:
        raise ForbiddenError(
            f"the organisation has {used} {what}, and may have {limit}.",
            remedy=f"Ask an admin of the hub for more: zunft organisation set NAME --{what} {limit + 1}.",
            code=f"quota_{what}",
        )


def _robots(name: str) -> Select[int]:
    return select(func.count()).where(RobotRow.organisation == name, RobotRow.closed_at.is_(None))


def _campaigns(name: str) -> Select[int]:
    theirs = select(SkillRow.name).where(SkillRow.organisation == name)
    running = CampaignRow.state == "running", CampaignRow.skill.in_(theirs)
    return select(func.count()).select_from(CampaignRow).where(*running)


def _uploads(name: str, now: datetime) -> Select[datetime]:
    """When each upload of the last hour came: its robots' deltas, and what users published."""
    since = now - WINDOW
    deltas = (
        select(DeltaRow.received_at)
        .join(RobotRow, RobotRow.robot_id == DeltaRow.robot_id)
        .where(RobotRow.organisation == name, DeltaRow.received_at > since)
    )
    versions = (
        select(VersionRow.created_at)
        .join(SkillRow, SkillRow.name == VersionRow.skill)
        .where(SkillRow.organisation == name, VersionRow.created_at > since)
        .where(VersionRow.published_by != THE_HUB.actor)
    )
    tasks = (
        select(TaskVersionRow.created_at)
        .join(TaskRow, TaskRow.name == TaskVersionRow.task)
        .where(TaskRow.organisation == name, TaskVersionRow.created_at > since)
    )
    together = union_all(deltas, versions, tasks).subquery()
    return select(together.c.received_at)
