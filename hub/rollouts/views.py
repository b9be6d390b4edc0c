"""Roll-outs as people see them; who may see which rows is decided by whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.access.visibility import seen_skills
from hub.rollouts.evidence import figures_of
from hub.rollouts.facts import claims_of, members_of, plan_of, seen_of, state_of
from hub.rollouts.states import waits
from hub.storage.paging import Order, Statement
from hub.storage.tables.rollouts import RolloutRow, RolloutStepRow
from skills.messages.lists import RolloutQuery
from skills.messages.rollouts import UNENDED, RingView, RolloutView, StepView

__all__ = ["ROLLOUT_ORDER", "listed_rollouts", "rollout_line", "rollout_view"]

ROLLOUT_ORDER = Order("rollouts", (RolloutRow.created_at, RolloutRow.rollout_id), descending=True)


def listed_rollouts(viewer: Viewer, query: RolloutQuery) -> Statement:
    """Roll-outs that the viewer sees and asked for."""
    found = select(RolloutRow).where(RolloutRow.skill.in_(seen_skills(viewer)))
    if query.skill:
        found = found.where(RolloutRow.skill == query.skill)
    if query.state:
        found = found.where(RolloutRow.state == query.state)
    return found


def rollout_line(row: RolloutRow) -> RolloutView:
    """One without what its robots say: for lists."""
    return _view(row, _rings(row))


def rollout_view(session: Session, row: RolloutRow, now: datetime) -> RolloutView:
    """One with what its robots say, and its journal."""
    counts, claims = members_of(session, row), claims_of(session, row, now)
    rings = [
        ring.model_copy(
            update={"robots": many, "using": said.using, "done": said.done, "failed": said.failed}
        )
        for ring, many, said in zip(_rings(row), counts, map(figures_of, claims), strict=True)
    ]
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
