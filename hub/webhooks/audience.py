"""Who is told of what: the one place that decides which events a webhook may hear, and what of them."""

from __future__ import annotations

from typing import get_args

from sqlalchemy import ColumnElement

from hub.access.principal import Principal
from hub.access.visibility import seen_events
from hub.events.log import event_view
from hub.storage.tables.events import EventRow
from skills.messages.events import Event
from skills.messages.webhooks import NoticeKind

__all__ = ["KINDS", "hears", "told"]

KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)


def hears(organisation: str) -> ColumnElement[bool]:
    """A condition on rows of events: what a webhook of this organisation may hear now.

    It hears what an operator of its organisation sees, whoever added it.
    """
    return seen_events(_listener(organisation))


def told(organisation: str, row: EventRow) -> Event:
    """The event as this organisation's operators see it."""
    return event_view(row, _listener(organisation))


def _listener(organisation: str) -> Principal:
    return Principal("", "operator", organisation)
