"""Roll-outs as people see them; who may see which rows is decided by whoever reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.access.visibility import seen_skills
from hub.rollouts.evidence import Claim, figures_of
from hub.rollouts.facts import claims_of, members_of, plan_of, seen_of, state_of
from hub.rollouts.states import waits
from hub.storage.paging import Order, Statement
from hub.storage.tables.rollouts import RolloutRow, RolloutStepRow
from skills.messages.lists import RolloutQuery
from skills.messages.rollouts import (
    PREVENTED,
    UNENDED,
    RingArm,
    RingView,
    RolloutCounts,
    RolloutView,
    StepView,
)

__all__ = ["ROLLOUT_ORDER", "counts_of", "listed_rollouts", "rollout_line", "rollout_view"]

ROLLOUT_ORDER = Order("rollouts", (RolloutRow.created_at, RolloutRow.rollout_id), descending=True)


def listed_rollouts(viewer: Viewer, query: RolloutQuery) -> Statement:
    """Roll-outs that the viewer sees and asked for."""
    found = select(RolloutRow).where(RolloutRow.skill.in_(seen_skills(viewer)))
    if query.skill:
        found = found.where(RolloutRow.skill == query.skill)
    if query.state:
        found = found.where(RolloutRow.state == query.state)
    return found


def counts_of(session: Session, viewer: Viewer) -> RolloutCounts:
    """How many there are of each kind."""
    seen = select(func.count()).select_from(RolloutRow).where(RolloutRow.skill.in_(seen_skills(viewer)))
    stopped = exists().where(
        RolloutStepRow.rollout_id == RolloutRow.rollout_id, RolloutStepRow.event.in_(PREVENTED)
    )
    return RolloutCounts(
        rollouts=session.scalar(seen) or 0,
        under_way=session.scalar(seen.where(RolloutRow.state.in_(UNENDED))) or 0,
        prevented=session.scalar(seen.where(stopped)) or 0,
    )


def rollout_line(row: RolloutRow) -> RolloutView:
    """One without what its robots say: for lists."""
    return _view(row, _rings(row))


def rollout_view(session: Session, row: RolloutRow, now: datetime) -> RolloutView:
    """One with what its robots say, and its journal."""
    counts, claims = members_of(session, row), claims_of(session, row, now)
    rings = [_told(*each) for each in zip(_rings(row), counts, claims, strict=True)]
    words = waits(state_of(row), seen_of(session, row, now, claims)[0], now) if row.state in UNENDED else ""
    steps = select(RolloutStepRow).where(RolloutStepRow.rollout_id == row.rollout_id)
    shown = [
        StepView.model_validate(
            {
                "number": each.number,
                "at": each.at,
                "event": each.event,
                "state": each.state,
                "ring": each.ring + 1,
                "reason": each.reason,
                "known": each.known,
            }
        )
        for each in session.scalars(steps.order_by(RolloutStepRow.number))
    ]
    return _view(row, rings, words, shown)


def _told(ring: RingView, robots: Counter[str], claims: Sequence[Claim]) -> RingView:
    """A ring with what its robots say, by embodiment, too."""
    arms = [
        RingArm(embodiment=arm, robots=robots[arm], **_sums([each for each in claims if each.arm == arm]))
        for arm in sorted({*robots, *(each.arm for each in claims)})
    ]
    return ring.model_copy(update={"robots": robots.total(), "arms": tuple(arms), **_sums(claims)})


def _sums(claims: Sequence[Claim]) -> dict[str, int]:
    said = figures_of(claims)
    return {"using": said.using, "done": said.done, "failed": said.failed}


def _rings(row: RolloutRow) -> list[RingView]:
    plans, opened = plan_of(row).rings, row.fixed["opened"]
    everybody = row.new if row.state == "done" else row.old if row.state not in UNENDED else None
    return [
        RingView.model_validate(
            {"plan": plan, "version": everybody or (row.new if at else row.old), "opened_at": at}
        )
        for plan, at in zip(plans, opened, strict=True)
    ]


def _view(
    row: RolloutRow, rings: Sequence[RingView], words: str = "", steps: Sequence[StepView] = ()
) -> RolloutView:
    return RolloutView(
        rollout_id=row.rollout_id,
        skill=row.skill,
        old=row.old,
        new=row.new,
        state=state_of(row),
        ring=row.ring + 1,
        reason=row.reason,
        waiting_for=words,
        rings=tuple(rings),
        created_at=row.created_at,
        ended_at=row.ended_at,
        steps=tuple(steps),
    )
