"""Writing down what happens, in the transaction that makes it happen: events, and entries of the audit log.

Reading them is left to `hub.events`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from hub.storage.database import announce, dialect_of, table_of
from hub.storage.tables.events import AuditHeadRow, AuditRow, EventRow

__all__ = ["HUB", "entry_hash", "note", "record", "record_many", "take_turn"]


POSTGRES_LOCK = text("SELECT pg_advisory_xact_lock(2079420001)")
NEW_EVENTS = insert(table_of(EventRow)).returning(table_of(EventRow).c.id)


def record(
    session: Session,
    kind: str,
    at: datetime,
    /,
    *,
    skill: str | None = None,
    organisation: str | None = None,
    **data: Any,
) -> None:
    """Add an event to this transaction; listeners are woken after the commit.

    Args:
        session: A transaction of `Database.write`.
        kind: Such as `round.open`.
        at: When.
        skill: What it is about: who may see the skill may see the event. None: who may see the robot.
        organisation: Of the robot that `data` names as `robot_id`. Without either only admins see the event.
        data: No secrets.
    """
    record_many(session, kind, at, [{"skill": skill, "organisation": organisation, **data}])


def record_many(session: Session, kind: str, at: datetime, those: Sequence[Mapping[str, Any]]) -> None:
    """Add events of one kind; each has what `record` takes by name."""
    take_turn(session)
    rows = []
    for each in those:
        skill, organisation = each.get("skill"), each.get("organisation")
        data = {name: value for name, value in each.items() if name not in {"skill", "organisation"}}
        data |= {} if skill is None else {"skill": skill}
        rows.append({"kind": kind, "at": at, "skill": skill, "organisation": organisation, "data": data})
    announce(session, max(session.scalars(NEW_EVENTS, rows)))


def take_turn(session: Session) -> None:
    """Wait until no other transaction writes to a log, and hold the turn until this one ends.

    Numbers must become visible in their order, or a listener would pass over a late one. One lock for all
    logs, so that two transactions that write to several never wait for each other in a circle.
    """
    if dialect_of(session) == "postgresql":  # SQLite has one writer at a time anyway
        session.execute(POSTGRES_LOCK)


HUB = "hub"
"""Who acts where nobody asked: the engine, or a start of the hub."""


UPPER_HALL = "upper hall"
"""Who asks for what came down from the larger hall."""


START = "0" * 64
"""What the first entry is chained to."""


def note(
    session: Session, action: str, at: datetime, /, *, by: str, subject: str, **details: str | int
) -> None:
    """Add an entry to this transaction; writers take turns until their transactions end.

    Args:
        session: A transaction of `Database.write`.
        action: What was done, such as `user.created`.
        at: When.
        by: Who did it: `Principal.actor` or `HUB`.
        subject: What it was done to.
        details: No secrets.
    """
    take_turn(session)
    head = session.get(AuditHeadRow, 1, populate_existing=True)
    if head is None:
        head = AuditHeadRow(id=1, number=0, hash=START)
        session.add(head)
    row = AuditRow(
        number=head.number + 1,
        at=at,
        actor=by,
        action=action,
        subject=subject,
        details=details,
        previous=head.hash,
    )
    row.hash = entry_hash(row)
    session.add(row)
    head.number, head.hash = row.number, row.hash
    session.flush()


def entry_hash(row: AuditRow) -> str:
    """SHA-256 over the hash before and this entry as canonical JSON: sorted keys, no spaces, ASCII."""
    entry = {
        "number": row.number,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "details": row.details,
    }
    canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(f"{row.previous}\n{canonical}".encode("ascii")).hexdigest()
