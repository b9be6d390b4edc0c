"""The hub's event log: what happened, in order, in the transaction that made it happen.

A listener that remembers the last number it saw can go on from there after any break. Sending the
events over HTTP is left to `hub.api.events`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from hub.database import NEWS, Database
from hub.models import EventRow
from skills.messages import Event

__all__ = ["EventLog", "News", "record", "take_turn"]

PAGE = 500
POSTGRES_LOCK = "SELECT pg_advisory_xact_lock(2079420001)"


def record(session: Session, kind: str, at: datetime, /, **data: Any) -> None:
    """Add an event to this transaction; listeners are woken after the commit."""
    take_turn(session)
    session.add(EventRow(kind=kind, at=at, data=data))
    session.flush()
    session.info[NEWS] = True


def take_turn(session: Session) -> None:
    """Wait until no other transaction writes to a log, and hold the turn until this one ends.

    Numbers must become visible in their order, or a listener would pass over a late one. One lock for all
    logs, so that two transactions that write to several never wait for each other in a circle.
    """
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
        session.execute(text(POSTGRES_LOCK))


@dataclass(frozen=True)
class News:
    """What happened since, as server-sent events; `last` is the number of the last one."""

    last: int
    text: bytes


class EventLog:
    """Reads the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, last: int) -> list[Event]:
        """Events with a number above `last`, oldest first, at most 500."""
        statement = select(EventRow).where(EventRow.id > last).order_by(EventRow.id).limit(PAGE)
        with self._database.read() as session:
            return [
                Event(id=row.id, kind=row.kind, at=row.at, data=row.data)
                for row in session.scalars(statement)
            ]

    def news(self, last: int) -> News:
        """The same, encoded."""
        events = self.after(last)
        lines = [
            f"event: {event.kind}\ndata: {event.model_dump_json()}\nid: {event.id}\n\n" for event in events
        ]
        return News(events[-1].id if events else last, "".join(lines).encode())

    def last(self) -> int:
        """Number of the newest event; 0 when there is none."""
        statement = select(EventRow.id).order_by(EventRow.id.desc()).limit(1)
        with self._database.read() as session:
            return session.scalar(statement) or 0
