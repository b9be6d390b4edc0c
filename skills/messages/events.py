"""What the hub tells of what happened: events, and entries of the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from skills.messages.base import Message

__all__ = ["AuditEntry", "Event"]


class AuditEntry(Message):
    """One entry of the audit log: who did what to what, chained by `hash` to `previous`."""

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, str | int]
    previous: str
    hash: str


class Event(Message):
    """One line of the hub's event stream; `id` grows by one, so a listener can resume."""

    id: int
    kind: str
    at: datetime
    data: dict[str, Any]
