"""Who is told of what: the one place that decides whether a webhook may hear of an event."""

from __future__ import annotations

from typing import get_args

from skills.messages import Event
from skills.notices import NoticeKind

__all__ = ["KINDS", "may_be_told"]

KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)


def may_be_told(organisation: str, event: Event) -> bool:
    """Whether a webhook of this organisation may be told of an event.

    What belongs to one organisation, such as a robot, is for that one's ears only.
    """
    return bool(event.data.get("organisation", organisation) == organisation)
