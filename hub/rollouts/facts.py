"""What is known of a roll-out, read from its row and from what robots report, as facts for the pure rules.

Inside the caller's transaction. A robot counts whose ring has the new version; others' claims do not.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import get_args

from sqlalchemy.orm import Session

from hub.catalogue.channels import stable_of
from hub.rollouts.claims import Claims
from hub.rollouts.evidence import Claim, Figures, figures_of, verdict_of
from hub.rollouts.membership import asking, notes_of, place_of
from hub.rollouts.states import Seen
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.skills import VersionRow
from skills.messages.rollouts import RolloutPlan, RolloutState

__all__ = ["claims_of", "members_of", "plan_of", "seen_of", "state_of"]

STATES: dict[str, RolloutState] = {each: each for each in get_args(RolloutState)}


def state_of(row: RolloutRow) -> RolloutState:
    """The state, typed."""
    return STATES[row.state]


def plan_of(row: RolloutRow) -> RolloutPlan:
    """The rings as they were ordered."""
    return RolloutPlan.model_validate(row.plan)


def seen_of(
    session: Session, row: RolloutRow, now: datetime, by_ring: list[list[Claim]] | None = None
) -> tuple[Seen, Figures]:
    """What is known now: of all rings that have the new version, and of the one that is watched.

    Args:
        session: Where to read.
        row: The roll-out.
        now: The time.
        by_ring: What robots say, where that is known; else all of it is read.
    """
    plans, place = plan_of(row).rings, min(row.ring, len(row.fixed["rings"]) - 1)
    by_ring = claims_of(session, row, now) if by_ring is None else by_ring
    claims = [each for ring in by_ring for each in ring]
    figures, stable = figures_of(claims), stable_of(session, row.skill)
    opened_at, robots = _opened(row, place), len(by_ring[place]) or 1
    if not by_ring[place] and now >= opened_at + timedelta(seconds=plans[place].least_seconds):
        robots = members_of(session, row)[
            place
        ].total()  # of thousands only where it decides: nobody has spoken
    version = session.get_one(VersionRow, (row.skill, row.new))
    seen = Seen(
        plan=plans[place],
        is_last=place == len(plans) - 1,
        opened_at=opened_at,
        robots=robots,
        jobs=figures_of(by_ring[place]).jobs,
        verdict=verdict_of(claims, plans[place]),
        stable=stable.number if stable else None,
        old=row.old,
        new=row.new,
        is_withdrawn=version.withdrawn_at is not None,
    )
    return seen, figures


def claims_of(session: Session, row: RolloutRow, now: datetime) -> list[list[Claim]]:
    """By ring, what robots say that use the new version and are to use it: all of them read."""
    all_of_them = Claims()
    all_of_them.read(session, row, now)
    return all_of_them.by_ring(row)


def members_of(session: Session, row: RolloutRow) -> list[Counter[str]]:
    """How many robots of each embodiment are in each ring."""
    notes = notes_of(row)
    found: list[Counter[str]] = [Counter() for _ in notes]
    for robot in session.scalars(asking(row.skill)):
        place = place_of(row, notes, robot)
        if place is not None:
            found[place][robot.embodiment] += 1
    return found


def _opened(row: RolloutRow, place: int) -> datetime:
    text = row.fixed["opened"][place]
    return datetime.fromisoformat(text) if text else row.created_at
