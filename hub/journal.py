"""The journal of rounds: their rows as facts for `hub.rounds`, as jobs, and as views for people.

Every function works inside the caller's transaction. `enter_state` is the only place that changes a
round's state.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.auth import Viewer
from hub.events import record
from hub.jobs.job import DeltaPart, MergeJob, TaskSource
from hub.models import (
    AssignmentRow,
    CampaignRow,
    DeltaRow,
    InterestRow,
    RobotRow,
    RoundRow,
    SkillRow,
)
from hub.queue.leased_queue import lease_of
from hub.rounds import FINAL, Collection, Missing, RoundEvent, Work, campaign_waits, next_state, waiting_for
from hub.visibility import seen_skills
from skills.errors import NotFoundError
from skills.messages import CampaignRequest, CampaignView, GateReport, RoundState, RoundView

__all__ = [
    "campaign_view",
    "collection_of",
    "deltas_of",
    "enter_state",
    "find_round",
    "merge_job",
    "missing_of",
    "newest_round",
    "order_of",
    "round_view",
    "rounds_of",
    "running_round",
    "state_of",
    "work_of",
]

STATES: dict[str, RoundState] = {
    "open": "open",
    "closing": "closing",
    "merging": "merging",
    "gating": "gating",
    "published": "published",
    "rejected": "rejected",
    "failed": "failed",
}


def state_of(row: RoundRow) -> RoundState:
    """The state, typed."""
    return STATES[row.state]


def order_of(row: CampaignRow) -> CampaignRequest:
    """The order as it was accepted."""
    return CampaignRequest.model_validate(row.order)


def find_round(session: Session, round_id: str, viewer: Viewer, *, lock: bool = False) -> RoundRow:
    """A round of a skill that the viewer sees; `lock` holds it until the transaction ends.

    Raises:
        NotFoundError: No such round, or none that the viewer sees: in the same words.
    """
    row = session.get(RoundRow, round_id, with_for_update=lock, populate_existing=lock)
    if row is None or not _sees(session, row, viewer):
        raise NotFoundError(
            f"there is no round {round_id[:64]!r}.",
            where="round_id",
            remedy="Ask for an assignment.",
            code="unknown_round",
        )
    return row


def _sees(session: Session, row: RoundRow, viewer: Viewer) -> bool:
    its = select(CampaignRow.skill).where(CampaignRow.campaign_id == row.campaign_id)
    return session.scalar(its.where(CampaignRow.skill.in_(seen_skills(viewer)))) is not None


def rounds_of(session: Session, campaign_id: str) -> list[RoundRow]:
    """A campaign's rounds, oldest first."""
    statement = select(RoundRow).where(RoundRow.campaign_id == campaign_id).order_by(RoundRow.number)
    return list(session.scalars(statement))


def newest_round(session: Session, campaign_id: str) -> RoundRow | None:
    """A campaign's last round."""
    statement = select(RoundRow).where(RoundRow.campaign_id == campaign_id)
    return session.scalar(statement.order_by(RoundRow.number.desc()).limit(1))


def running_round(session: Session, skill: str) -> tuple[CampaignRow, RoundRow] | None:
    """The running campaign for a skill, and its last round."""
    both = select(CampaignRow, RoundRow).join(RoundRow, RoundRow.campaign_id == CampaignRow.campaign_id)
    running = both.where(CampaignRow.skill == skill, CampaignRow.state == "running")
    found = session.execute(running.order_by(RoundRow.number.desc()).limit(1)).one_or_none()
    return (found[0], found[1]) if found else None


def deltas_of(session: Session, round_id: str) -> list[DeltaRow]:
    """Admitted deltas by digest: the order in which they are merged."""
    statement = select(DeltaRow).where(DeltaRow.round_id == round_id).order_by(DeltaRow.digest)
    return list(session.scalars(statement))


def merge_job(
    row: RoundRow,
    deltas: Sequence[DeltaRow],
    order: CampaignRequest,
    version: int,
    region: str,
    task: TaskSource | None = None,
) -> MergeJob:
    """What is to be merged into the version with this number; `task` is for rules that ask the gate."""
    return MergeJob(
        round_id=row.round_id,
        base=row.base,
        deltas=tuple(
            DeltaPart(
                digest=each.digest,
                size=each.size,
                samples=each.samples,
                success=each.metrics.get("success"),
                norm=each.norm,
                staleness=each.staleness,
            )
            for each in deltas
        ),
        plan=order.merge,
        gate=order.gate,
        version=version,
        optimiser_before=row.optimiser_before,
        region=region,
        task=task,
    )


def enter_state(session: Session, row: RoundRow, event: RoundEvent, now: datetime, reason: str = "") -> None:
    """Take a round where an event leads, and tell listeners.

    Raises:
        ConflictError: The event does not belong to the round's state.
    """
    row.state = next_state(state_of(row), event)
    row.reason = reason[:2000] or row.reason
    record(
        session,
        f"round.{row.state}",
        now,
        skill=session.get_one(CampaignRow, row.campaign_id).skill,
        round_id=row.round_id,
        campaign_id=row.campaign_id,
        number=row.number,
        reason=reason[:2000],
    )


def collection_of(session: Session, row: RoundRow, now: datetime, active_seconds: float) -> Collection:
    """Who has sent a delta, and who is still expected to."""
    campaign = session.get_one(CampaignRow, row.campaign_id)
    arrived = select(DeltaRow.robot_id, DeltaRow.staleness).where(DeltaRow.round_id == row.round_id)
    found = {row[0]: row[1] for row in session.execute(arrived)}
    assigned = select(AssignmentRow.robot_id).where(AssignmentRow.round_id == row.round_id)
    lately = now - timedelta(seconds=active_seconds)
    asking = select(InterestRow.robot_id).where(
        InterestRow.skill == campaign.skill, InterestRow.asked_at >= lately
    )
    return Collection(
        order=order_of(campaign),
        deadline=row.deadline,
        arrived=frozenset(found),
        expected=frozenset(session.scalars(assigned)) | frozenset(session.scalars(asking)),
        stale=sum(staleness > 0 for staleness in found.values()),
    )


def missing_of(
    session: Session, collection: Collection, now: datetime, active_seconds: float
) -> list[Missing]:
    """Whom a round waits for, and whether they are still heard of."""
    robots = select(RobotRow).where(RobotRow.robot_id.in_(collection.expected - collection.arrived))
    return [_missing(robot, now, active_seconds) for robot in session.scalars(robots)]


def _missing(robot: RobotRow, now: datetime, active_seconds: float) -> Missing:
    silent = (now - (robot.last_seen_at or robot.enrolled_at)).total_seconds()
    return Missing(robot.embodiment, silent if silent > active_seconds else None)


def work_of(row: CampaignRow, now: datetime) -> Work:
    """What becomes of a campaign's next step."""
    lease = lease_of(row)
    if not lease.holder:
        return Work(note=lease.note)
    by: Literal["somebody", "gone"] = "somebody" if now < lease.expires_at else "gone"
    return Work(by, max(0.0, (now - lease.taken_at).total_seconds()))


def round_view(session: Session, row: RoundRow, now: datetime, active_seconds: float) -> RoundView:
    """The round as robots and operators see it."""
    collection = collection_of(session, row, now, active_seconds)
    totals = select(
        func.count(), func.coalesce(func.sum(DeltaRow.samples), 0), func.coalesce(func.sum(DeltaRow.size), 0)
    ).where(DeltaRow.round_id == row.round_id)
    deltas, samples, size = session.execute(totals).one()
    missing = missing_of(session, collection, now, active_seconds) if row.state == "open" else []
    work = Work()
    if state_of(row) not in FINAL:
        work = work_of(session.get_one(CampaignRow, row.campaign_id), now)
    words = waiting_for(state_of(row), collection, now, missing, work)
    return RoundView(
        round_id=row.round_id,
        campaign_id=row.campaign_id,
        number=row.number,
        state=state_of(row),
        base=row.base,
        opened_at=row.opened_at,
        deadline=row.deadline,
        deltas=deltas,
        samples=int(samples),
        bytes=int(size),
        waiting_for=f"{words} {row.reason}".strip(),
        late=collection.stale,
        candidate=row.candidate,
        gate=GateReport.model_validate(row.gate) if row.gate else None,
        metrics=row.metrics,
    )


def campaign_view(session: Session, row: CampaignRow, now: datetime, active_seconds: float) -> CampaignView:
    """The campaign with its rounds."""
    rounds = tuple(
        round_view(session, each, now, active_seconds) for each in rounds_of(session, row.campaign_id)
    )
    waits = ""
    if row.state == "running":
        state, words = (rounds[-1].state, rounds[-1].waiting_for) if rounds else (None, "")
        held = session.scalars(select(SkillRow.held_by).where(SkillRow.name == row.skill)).one() is not None
        waits = campaign_waits(state, words, work_of(row, now), held=held)
    return CampaignView.model_validate(
        {
            "campaign_id": row.campaign_id,
            "state": row.state,
            "reason": row.reason,
            "waiting_for": waits,
            "order": order_of(row),
            "created_at": row.created_at,
            "rounds": rounds,
        }
    )
