"""The life of a round as pure rules: which event leads where, when collecting ends, who is waited for.

    open ──full, late──▶ closing ──listed──▶ merging ──merged──▶ gating ──passed──▶ published
      │                                                            └─────refused──▶ rejected
      └─ starved, and from every state above: broken, stopped ──▶ failed

Long after, a robot may be withdrawn: a round that has too few deltas left is `withdrawn`, which leads from
any end to failed (`hub.withdrawals`).

No clock, no database, no network: `hub.engine` brings the facts and keeps the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from skills.errors import ConflictError
from skills.messages import CampaignRequest, RoundState

__all__ = [
    "FINAL",
    "Collection",
    "RoundEvent",
    "collection_event",
    "needed",
    "next_state",
    "waiting_for",
]

RoundEvent = Literal[
    "full", "late", "starved", "listed", "merged", "passed", "refused", "broken", "stopped", "withdrawn"
]

FINAL: frozenset[RoundState] = frozenset({"published", "rejected", "failed"})

TRANSITIONS: dict[tuple[RoundState, RoundEvent], RoundState] = {
    ("open", "full"): "closing",
    ("open", "late"): "closing",
    ("open", "starved"): "failed",
    ("closing", "listed"): "merging",
    ("merging", "merged"): "gating",
    ("gating", "passed"): "published",
    ("gating", "refused"): "rejected",
    ("published", "withdrawn"): "failed",
    ("rejected", "withdrawn"): "failed",
    ("failed", "withdrawn"): "failed",
}


def next_state(state: RoundState, event: RoundEvent) -> RoundState:
    """Where an event leads.

    Raises:
        ConflictError: The event does not belong to this state.
    """
    if event in {"broken", "stopped"} and state not in FINAL:
        return "failed"
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ConflictError(f"a round that is {state} cannot be {event}.", where="round") from None


@dataclass(frozen=True)
class Collection:
    """What is known of an open round.

    Attributes:
        arrived: Robots whose delta is in.
        expected: Robots that were given this round or asked for work lately.
    """

    order: CampaignRequest
    deadline: datetime
    arrived: frozenset[str]
    expected: frozenset[str]


def needed(collection: Collection) -> int:
    """How many deltas close the round at once: the target, or every expected robot and the quorum."""
    if collection.order.target:
        return collection.order.target
    return max(collection.order.quorum, len(collection.expected | collection.arrived))


def collection_event(collection: Collection, now: datetime) -> RoundEvent | None:
    """What has become of an open round by now; None while it collects."""
    if len(collection.arrived) >= needed(collection):
        return "full"
    if now < collection.deadline:
        return None
    return "late" if len(collection.arrived) >= collection.order.quorum else "starved"


def waiting_for(state: RoundState, collection: Collection, now: datetime, arms: Mapping[str, str]) -> str:
    """Why the round is where it is, in words for people.

    Args:
        state: Of the round.
        collection: What is known of it.
        now: The time.
        arms: Robot to embodiment; other owners' robots are not called by their names.
    """
    if state != "open":
        return WORDS[state]
    missing = sorted(arms[robot] for robot in collection.expected - collection.arrived)
    names = f" ({', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''})" if missing else ""
    seconds = max(0, round((collection.deadline - now).total_seconds()))
    count = f"{len(collection.arrived)} of {needed(collection)} deltas"
    return f"{count}; waiting for robots{names}, at most {seconds} s more."


WORDS: dict[RoundState, str] = {
    "closing": "All deltas are in; the list is being closed.",
    "merging": "The deltas are being merged.",
    "gating": "The candidate is being measured against the current version.",
    "published": "Nothing: the candidate is the stable version now.",
    "rejected": "Nothing: the candidate was not good enough and is kept for study.",
    "failed": "Nothing: the round gave no candidate.",
}
