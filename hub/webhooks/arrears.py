"""How far webhooks are behind, for those who watch the hub."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.storage.tables.events import EventRow
from hub.storage.tables.webhooks import UndeliveredRow, WebhookRow
from hub.webhooks.audience import hears

__all__ = ["dead_letters", "oldest_undelivered"]


def dead_letters(session: Session) -> int:
    """Messages that were given up and lie there still."""
    statement = select(func.count()).select_from(UndeliveredRow).where(UndeliveredRow.due_at.is_(None))
    return session.scalar(statement) or 0


def oldest_undelivered(session: Session) -> datetime | None:
    """When the oldest event happened that a webhook has still to be told of, dead letters left aside."""
    aside = select(func.min(EventRow.at)).join(UndeliveredRow, UndeliveredRow.event_id == EventRow.id)
    found = [session.scalar(aside.where(UndeliveredRow.due_at.is_not(None)))]
    for row in session.scalars(select(WebhookRow)).all():
        wanted = EventRow.id > row.position, EventRow.kind.in_(row.kinds), hears(row.organisation)
        found.append(session.scalar(select(func.min(EventRow.at)).where(*wanted)))
    return min((each for each in found if each is not None), default=None)
