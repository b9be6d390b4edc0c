"""What robots say of themselves as columns: version in use, drift, jobs. Claims, and shown as such."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from hub.console.grids import Column
from hub.console.language import _, later
from hub.console.words import ago, count, percent
from skills.messages.reports import FleetRobot, Use
from skills.messages.rollouts import RolloutState

__all__ = [
    "CLAIMS",
    "FLEET",
    "badge_of",
    "drift_in_words",
    "guards_in_words",
    "in_use",
    "jobs_in_words",
    "since",
]

CLAIMS = later("What robots say of themselves; the hub has not seen it.")


def badge_of(state: RolloutState) -> str:
    """A roll-out's state as badges say it, whose words are rounds', too."""
    return {"open": "running", "done": "finished"}.get(state, state)


def in_use(said: Use, _now: datetime | None = None) -> str:
    """The version: `v3`, or that nothing is known."""
    if said.report is None:
        return _("has not said")
    return f"v{said.report.version}" if said.report.version else _("none")


def since(said: Use, now: datetime) -> str:
    """Since when, and what else it says of itself."""
    if said.report is None:
        return ""
    parts = [_("since {moment}", moment=ago(said.report.since, now))] if said.report.since else []
    parts += [_("at work")] * said.report.busy
    parts += [_("stopped until a person releases it")] * said.report.stopped
    return ", ".join(parts)


def drift_in_words(said: Use, _now: datetime | None = None) -> str:
    """What it should use instead; empty where it uses that."""
    return _("should use v{version}", version=said.wanted) if said.drifts else ""


def jobs_in_words(said: Use, _now: datetime | None = None) -> str:
    """How its jobs with this version went."""
    tally = said.tally
    if tally is None or not tally.jobs:
        return ""
    return _(
        "{done} done, {failed} failed ({share})",
        done=count(tally.done),
        failed=count(tally.failed),
        share=percent(tally.done / tally.jobs),
    )


def guards_in_words(uses: Sequence[Use]) -> str:
    """How often each guard objected, over all that was reported; empty where none did."""
    objected: Counter[str] = Counter()
    for each in uses:
        objected.update(each.report.guards if each.report else {})
    said = ", ".join(
        _("{guard} {number} times", guard=name, number=count(number))
        for name, number in objected.items()
        if number
    )
    return _("Guards that objected: {guards}.", guards=said) if said else ""


def _state(robot: FleetRobot, now: datetime) -> str:
    if robot.lost_at is not None:
        return _("missed since {lost_at}", lost_at=ago(robot.lost_at, now))
    seen = robot.last_seen_at
    return _("seen {moment}", moment=ago(seen, now)) if seen else _("never seen")


def _refused(robot: FleetRobot, _now: datetime) -> str:
    said = robot.refusal
    return f"{said.skill} v{said.version}" if said and said.version else said.skill if said else ""


FLEET: tuple[Column[FleetRobot], ...] = (
    Column(
        later("Robot"),
        lambda robot, _now: robot.name,
        look="name",
        target=lambda robot: f"/robots/{robot.robot_id}",
        aside=_state,
    ),
    Column(later("Arm"), lambda robot, _now: robot.embodiment),
    Column(later("Ring"), lambda robot, _now: str(robot.ring or ""), look="number"),
    Column(later("Uses"), in_use, look="number", aside=since),
    Column(later("Drift"), drift_in_words, look="warn"),
    Column(later("Jobs with it"), jobs_in_words, look="number"),
    Column(
        later("Would not take"),
        _refused,
        aside=lambda robot, _now: robot.refusal.reason if robot.refusal else "",
    ),
)
"""Robots that ask for one skill."""
