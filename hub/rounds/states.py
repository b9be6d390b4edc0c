"""The life of a round as pure rules: which event leads where, when collecting ends, who is waited for.

The table below is all of it; docs/rounds.md draws it. No clock, no database, no network: `hub.rounds.engine`
brings the facts and keeps the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from skills.errors import ConflictError
from skills.messages.campaigns import CampaignRequest
from skills.messages.rounds import FINAL, FINISHED, UNFINISHED, RoundState

__all__ = [
    "TRANSITIONS",
    "Collection",
    "Missing",
    "RoundEvent",
    "Work",
    "campaign_waits",
    "collection_event",
    "needed",
    "next_state",
    "waiting_for",
    "without",
]

RoundEvent = Literal[
    "full",
    "late",
    "starved",
    "listed",
    "merged",
    "passed",
    "refused",
    "broken",
    "stopped",
    "baseless",
    "withdrawn",
]


TRANSITIONS: dict[tuple[RoundState, RoundEvent], RoundState] = {
    ("open", "full"): "closing",
    ("open", "late"): "closing",
    ("open", "starved"): "failed",
    ("open", "baseless"): "failed",
    ("closing", "listed"): "merging",
    ("merging", "merged"): "gating",
    ("gating", "passed"): "published",
    ("gating", "refused"): "rejected",
    **{(state, "broken"): "failed" for state in UNFINISHED},
    **{(state, "stopped"): "failed" for state in UNFINISHED},
    **{(state, "withdrawn"): "failed" for state in FINISHED},
}


def next_state(state: RoundState, event: RoundEvent) -> RoundState:
    """Where an event leads.

    Raises:
        ConflictError: The event does not belong to this state.
    """
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
        stale: How many of the deltas were made for earlier rounds.
        masters: Whether robots that have no master train one before they bring anything.
    """

    order: CampaignRequest
    deadline: datetime
    arrived: frozenset[str]
    expected: frozenset[str]
    stale: int = 0
    masters: bool = False


@dataclass(frozen=True)
class Missing:
    """A robot that is waited for, without its name: it may be another owner's.

    Attributes:
        arm: Its embodiment.
        silent: Seconds since it was last heard of; None where that is no time at all.
    """

    arm: str
    silent: float | None = None

    def __str__(self) -> str:
        return self.arm if self.silent is None else f"{self.arm}, silent for {_duration(self.silent)}"


@dataclass(frozen=True)
class Work:
    """What becomes of a step that is due.

    Attributes:
        by: Nobody, since no process had time yet; some process; or one that has not been heard of too long.
        seconds: For how long that has been so, where somebody is at work.
        note: Why nobody can be, where that is for a reason that goes away.
    """

    by: Literal["nobody", "somebody", "gone"] = "nobody"
    seconds: float = 0.0
    note: str = ""


def needed(collection: Collection) -> int:
    """How many deltas close the round at once: the target, or every expected robot and the quorum."""
    least = least_of_deltas(collection.order)
    return least if collection.order.target else max(least, len(collection.expected | collection.arrived))


def least_of_deltas(order: CampaignRequest) -> int:
    """With fewer deltas no round closes before its deadline, whoever is expected."""
    return order.target or order.quorum


def collection_event(collection: Collection, now: datetime) -> RoundEvent | None:
    """What has become of an open round by now; None while it collects."""
    if len(collection.arrived) >= needed(collection):
        return "full"
    if now < collection.deadline:
        return None
    return "late" if len(collection.arrived) >= collection.order.quorum else "starved"


def waiting_for(
    state: RoundState, collection: Collection, now: datetime, missing: Sequence[Missing], work: Work
) -> str:
    """Why the round is where it is, in words for people.

    Args:
        state: Of the round.
        collection: What is known of it.
        now: The time.
        missing: Robots that are waited for.
        work: What becomes of its next step.
    """
    if state != "open":
        return f"{WORDS[state]}{'' if state in FINAL else _work_in_words(work)}"
    late = f" ({collection.stale} of them late)" if collection.stale else ""
    count = f"{len(collection.arrived)} of {needed(collection)} deltas{late}"
    if collection_event(collection, now) is not None:
        return f"{count}; the round is to be closed{_work_in_words(work)}"
    who = f" ({_listed(missing)})" if missing else ""
    seconds = max(0.0, (collection.deadline - now).total_seconds())
    masters = "; those without a master train one first" if collection.masters else ""
    return f"{count}; waiting for robots{who}, at most {_duration(seconds)} more{masters}."


def campaign_waits(newest: RoundState | None, words: str, work: Work, *, held: bool = False) -> str:
    """Why a running campaign is where it is.

    Args:
        newest: State of its last round; None before the first.
        words: What that round waits for.
        work: What becomes of the campaign's next step.
        held: Whether a withdrawal keeps it from going on.
    """
    if held:
        return "A robot that worked on this skill is being withdrawn; the campaign goes on after that."
    if newest is None:
        return f"The version to start from is being measured{_work_in_words(work)}"
    if newest in FINAL:
        return f"The next round is being opened{_work_in_words(work)}"
    return words


def without(missing: Sequence[Missing]) -> str:
    """What is said of a round that closes at its deadline; empty where everybody came."""
    return f"Closed at the deadline without robots ({_listed(missing)})." if missing else ""


def _listed(missing: Sequence[Missing]) -> str:
    names = sorted(str(each) for each in missing)
    return f"{'; '.join(names[:5])}{'; ...' if len(names) > 5 else ''}"


def _work_in_words(work: Work) -> str:
    """What becomes of a step, as the end of a sentence."""
    if work.note:
        return f"; that waits: {work.note} It is tried again every second."
    if work.by == "somebody":
        return f", for {_duration(work.seconds)}."
    if work.by == "gone":
        return "; the process that did it is gone, and another one goes on in a moment."
    return "; it waits for a process with a free worker."


def _duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever a person would say."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"


WORDS: dict[RoundState, str] = {
    "closing": "The list of deltas is being closed",
    "merging": "The deltas are being merged",
    "gating": "The candidate is being measured against the current version",
    "published": "Nothing: the candidate passed.",
    "rejected": "Nothing: the candidate was not good enough and is kept for study.",
    "failed": "Nothing: the round gave no candidate.",
}
