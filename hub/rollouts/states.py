"""The life of a roll-out as pure rules: which event leads where, and what has become of a ring by now.

The table below is all of it; docs/rollouts.md shows it. No clock, no database, no network:
`hub.rollouts.engine` brings the facts and `hub.rollouts.journal` keeps what followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.workers.paired_test import Verdict
from skills.errors import ConflictError
from skills.messages.rollouts import UNENDED, RingPlan, RolloutState

__all__ = ["TRANSITIONS", "WIDENING", "Due", "RolloutEvent", "Seen", "due", "next_state", "waits"]

RolloutEvent = Literal[
    "measured",
    "passed",
    "held",
    "approved",
    "finished",
    "paused",
    "resumed",
    "failed",
    "overtaken",
    "aborted",
]

WATCHED: tuple[RolloutState, ...] = ("open", "waiting", "paused")
"""In these some robots may have the new version."""
TRANSITIONS: dict[tuple[RolloutState, RolloutEvent], RolloutState] = {
    ("measuring", "measured"): "open",
    ("open", "passed"): "open",
    ("open", "held"): "waiting",
    ("waiting", "approved"): "open",
    ("open", "paused"): "paused",
    ("waiting", "paused"): "paused",
    ("paused", "resumed"): "open",
    **{(state, "finished"): "done" for state in WATCHED},
    **{(state, "failed"): "stopped" for state in UNENDED},
    **{(state, "overtaken"): "aborted" for state in UNENDED},
    **{(state, "aborted"): "aborted" for state in (*UNENDED, "done")},
}
WIDENING: frozenset[RolloutEvent] = frozenset({"passed", "approved"})
"""After these the next ring has the new version, too."""


def next_state(state: RolloutState, event: RolloutEvent) -> RolloutState:
    """Where an event leads.

    Raises:
        ConflictError: The event does not belong to this state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise ConflictError(
            f"a roll-out that is {state} cannot be {event}.",
            where="order",
            remedy="Look at how it stands: zunft rollout show.",
        ) from None


@dataclass(frozen=True)
class Seen:
    """What is known of a roll-out that is under way.

    Attributes:
        plan: Of the ring that is watched.
        is_last: Whether no ring is behind it.
        opened_at: When the new version came to it.
        robots: How many there are in it, as far as that matters: at least one where any has spoken.
        jobs: That they did with the new version, without the robots that say most.
        verdict: Of the paired test: the new version against the old one.
        stable: What is everybody's now, None where nothing is.
        old: Where the roll-out began.
        new: Where it leads.
        is_withdrawn: Whether the new version is offered no longer.
    """

    plan: RingPlan
    is_last: bool
    opened_at: datetime
    robots: int
    jobs: int
    verdict: Verdict
    stable: int | None
    old: int
    new: int
    is_withdrawn: bool = False


@dataclass(frozen=True)
class Due:
    """What has become of a roll-out, and why."""

    event: RolloutEvent
    reason: str


def due(state: RolloutState, seen: Seen, now: datetime) -> Due | None:
    """What has become of a roll-out by now; None while there is nothing but to wait.

    It is watched in each state in which robots have the new version, and widened only when it is open.
    """
    if state not in WATCHED:
        return None
    ended = _ended(seen)
    if ended is not None or state != "open" or _missing(seen, now):
        return ended
    proven = f"after {seen.jobs} jobs" if seen.robots else "and no robot is in it"
    if seen.plan.approval:
        return Due("held", f"The ring has what it needs, {proven}: somebody has to approve.")
    return Due("finished" if seen.is_last else "passed", f"The ring passed, {proven}.")


def _ended(seen: Seen) -> Due | None:
    """What ends it in whatever state it is."""
    if seen.is_withdrawn:
        return Due("failed", f"v{seen.new} was withdrawn: it contains a robot that was.")
    if seen.stable == seen.new:
        return Due("finished", f"v{seen.new} was released to everybody.")
    if seen.stable != seen.old:
        return Due("overtaken", "Another version became stable meanwhile.")
    if seen.verdict == "worse":
        return Due("failed", f"v{seen.new} fails where v{seen.old} does not, as the ring's robots say.")
    return None


def waits(state: RolloutState, seen: Seen, now: datetime) -> str:
    """Why a roll-out is where it is, in words for people; empty where it has ended."""
    match state:
        case "measuring":
            return "The gate measures the version first."
        case "waiting":
            return "Somebody has to approve: zunft rollout approve."
        case "paused":
            return "It is paused: robots keep what they have. zunft rollout resume."
        case "open":
            return f"Waiting for {', '.join(_missing(seen, now))}." if _missing(seen, now) else "It goes on."
        case _:
            return ""


def _missing(seen: Seen, now: datetime) -> list[str]:
    """What a ring lacks yet. One without robots has nothing to show but its time."""
    left = seen.opened_at + timedelta(seconds=seen.plan.least_seconds) - now
    found = [f"{left.total_seconds():.0f} s more"] * (left > timedelta(0))
    if not seen.robots:
        return found
    found += [f"{seen.plan.least_jobs - seen.jobs} jobs more"] * (seen.jobs < seen.plan.least_jobs)
    found += ["pairs of jobs that show it is not worse"] * (seen.verdict != "not worse")
    return found
