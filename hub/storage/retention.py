"""How long the hub remembers what it needs no longer: old events, and who was there for which round.

The audit log, versions, rounds and deltas are never touched: they say where a skill came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.tables.events import EventRow
from hub.storage.tables.robots import InterestRow
from hub.storage.tables.rounds import AssignmentRow, RoundRow
from hub.storage.tables.webhooks import UndeliveredRow, WebhookRow
from skills.messages.rounds import FINAL

__all__ = ["Retention"]

BATCH = 1000
"""Rows of a table that one sweep deletes in one transaction, so that nobody waits long to write."""


@dataclass(frozen=True)
class Retention:
    """Deletes what is older than it has to be.

    Attributes:
        events_days: How long events are kept; 0: for ever.
        presence_days: How long assignments of finished rounds, and interests, are kept; 0: for ever.
    """

    database: Database
    clock: Clock
    events_days: float
    presence_days: float

    def sweep(self) -> bool:
        """Delete the oldest of what is too old; whether there may be more of it."""
        now, deleted = self.clock(), 0
        steps = (
            (_delete_events, self.events_days),
            (_delete_assignments, self.presence_days),
            (_delete_interests, self.presence_days),
        )
        for delete_some, days in steps:
            if days:
                with self.database.write() as session:
                    deleted = max(deleted, delete_some(session, now - timedelta(days=days)))
        return deleted >= BATCH


def _delete_events(session: Session, before: datetime) -> int:
    """The oldest, but for the newest of all, after which the next is numbered, and what webhooks wait for."""
    newest = session.scalar(select(func.max(EventRow.id))) or 0
    heard = session.scalar(select(func.min(WebhookRow.position)))
    last = newest - 1 if heard is None else min(newest - 1, heard)
    kept = select(UndeliveredRow.event_id)
    oldest = select(EventRow.id, EventRow.at).where(EventRow.id <= last, EventRow.id.not_in(kept))
    rows = session.execute(oldest.order_by(EventRow.id).limit(BATCH)).all()
    ids = [number for number, at in rows if at < before]
    session.execute(delete(EventRow).where(EventRow.id.in_(ids)))
    return len(ids)


def _delete_assignments(session: Session, before: datetime) -> int:
    over = select(RoundRow.round_id).where(RoundRow.state.in_(FINAL))
    old = AssignmentRow.assigned_at < before, AssignmentRow.round_id.in_(over)
    rows = session.scalars(select(AssignmentRow).where(*old).limit(BATCH)).all()
    for row in rows:
        session.delete(row)
    return len(rows)


def _delete_interests(session: Session, before: datetime) -> int:
    rows = session.scalars(select(InterestRow).where(InterestRow.asked_at < before).limit(BATCH)).all()
    for row in rows:
        session.delete(row)
    return len(rows)
