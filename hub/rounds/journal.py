"""The journal of rounds: their rows as facts for `hub.rounds.states`, and as jobs.

Every function works inside the caller's transaction. `enter_state` is the only place that changes a
round's state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import BindParameter, Select, bindparam, func, select
from sqlalchemy.orm import Session, aliased

from hub.access.principal import Viewer
from hub.access.visibility import seen_skills
from hub.queue.leased_queue import lease_of
from hub.rounds.costs import Brought, Ended
from hub.rounds.states import Collection, Missing, RoundEvent, Work, next_state
from hub.storage.record import record
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import AssignmentRow, CampaignRow, Costed, DeltaRow, RoundRow
from hub.storage.tables.skills import VersionRow
from hub.workers.job import DeltaPart, MergeJob, TaskSource
from skills.errors import NotFoundError
from skills.messages.campaigns import CampaignRequest
from skills.messages.costs import SECONDS_CLAIMED, Cost
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import FINAL, RoundState
from skills.messages.skills import GateReport

__all__ = [
    "NEWEST_ROUNDS",
    "brought_to",
    "charge",
    "collection_of",
    "collections_of",
    "cost_of",
    "current_round",
    "deltas_of",
    "ended_of",
    "enter_state",
    "fetched_for",
    "find_round",
    "merge_job",
    "missing_of",
    "newest_round",
    "order_of",
    "rounds_of",
    "running_round",
    "state_before",
    "state_of",
    "unknown_round",
    "work_of",
]

BASELESS = "The version that it began from has not passed; what came for it is dropped."
STATES: dict[str, RoundState] = {each: each for each in get_args(RoundState)}


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
        raise unknown_round(round_id)
    return row


def unknown_round(round_id: str) -> NotFoundError:
    """What is said of a round that is nowhere, or that one does not see."""
    return NotFoundError(
        f"there is no round {round_id[:64]!r}.",
        where="round_id",
        remedy="Ask for an assignment.",
        code="unknown_round",
    )


def _sees(session: Session, row: RoundRow, viewer: Viewer) -> bool:
    its = select(CampaignRow.skill).where(CampaignRow.campaign_id == row.campaign_id)
    return session.scalar(its.where(CampaignRow.skill.in_(seen_skills(viewer)))) is not None


def rounds_of(session: Session, campaign_id: str) -> list[RoundRow]:
    """A campaign's rounds, oldest first."""
    statement = select(RoundRow).where(RoundRow.campaign_id == campaign_id).order_by(RoundRow.number)
    return list(session.scalars(statement))


def newest_round(session: Session, campaign_id: str) -> RoundRow | None:
    """A campaign's last round."""
    return session.scalar(NEWEST_ROUNDS, {"campaigns": [campaign_id]})


def current_round(session: Session, campaign_id: str) -> RoundRow | None:
    """The round in which something is next to be done: the first that has not ended, else the last one."""
    unfinished = select(RoundRow).where(RoundRow.campaign_id == campaign_id, RoundRow.state.not_in(FINAL))
    found = session.scalar(unfinished.order_by(RoundRow.number).limit(1))
    return found or newest_round(session, campaign_id)


def _newest_rounds() -> Select[RoundRow]:
    others = aliased(RoundRow)
    last = select(func.max(others.number)).where(others.campaign_id == RoundRow.campaign_id)
    those = select(RoundRow).where(RoundRow.campaign_id.in_(bindparam("campaigns", expanding=True)))
    return those.where(RoundRow.number == last.scalar_subquery()).order_by(RoundRow.campaign_id)


# To put a statement together takes longer than to run it: those of the hub's hot path are made once.
NEWEST_ROUNDS = _newest_rounds()
"""The last round of each of the `campaigns`."""
RUNNING = (
    select(CampaignRow, RoundRow)
    .join(RoundRow, RoundRow.campaign_id == CampaignRow.campaign_id)
    .where(CampaignRow.skill == bindparam("skill"), CampaignRow.state == "running")
    .order_by(RoundRow.number.desc())
    .limit(1)
)
COME = select(func.count()).where(DeltaRow.round_id == bindparam("round"))
ROUNDS: BindParameter[str] = bindparam("rounds", expanding=True)
ARRIVED = select(DeltaRow.round_id, DeltaRow.robot_id, DeltaRow.staleness).where(
    DeltaRow.round_id.in_(ROUNDS)
)
GIVEN = select(AssignmentRow.round_id, AssignmentRow.robot_id).where(AssignmentRow.round_id.in_(ROUNDS))
ASKED = select(InterestRow.skill, InterestRow.robot_id).where(
    InterestRow.skill.in_(bindparam("skills", expanding=True)), InterestRow.asked_at >= bindparam("since")
)


def running_round(session: Session, skill: str) -> tuple[CampaignRow, RoundRow] | None:
    """The running campaign for a skill, and its last round."""
    found = session.execute(RUNNING, {"skill": skill}).one_or_none()
    return (found[0], found[1]) if found else None


def deltas_of(session: Session, round_id: str) -> list[DeltaRow]:
    """Admitted deltas by digest: the order in which they are merged."""
    statement = select(DeltaRow).where(DeltaRow.round_id == round_id).order_by(DeltaRow.digest)
    return list(session.scalars(statement))


def cost_of(row: Costed) -> Cost:
    """What it took so far."""
    return Cost(**{name: getattr(row, name) for name in Cost.model_fields})


def charge(row: Costed, cost: Cost) -> None:
    """Add to what it took."""
    for name, before in cost_of(row).model_dump().items():
        setattr(row, name, before + getattr(cost, name))


def brought_to(session: Session, round_id: str) -> list[Brought]:
    """What the deltas of a round say of their cost; a claim that is no time is none."""
    found = []
    for row in deltas_of(session, round_id):
        claim = row.metrics.get(SECONDS_CLAIMED)
        found.append(Brought(row.size, claim if claim is not None and claim >= 0 else None, row.robots))
    return found


def fetched_for(session: Session, row: RoundRow) -> int:
    """Bytes of the round's base, once for each robot that was given the round."""
    given = select(func.count()).where(AssignmentRow.round_id == row.round_id)
    size = select(VersionRow.size).where(VersionRow.digest == row.base)
    return (session.scalar(given) or 0) * (session.scalar(size) or 0)


def ended_of(rows: Sequence[RoundRow]) -> tuple[float, list[Ended]]:
    """Success of the version that these rounds began from, as far as known, and what each came to."""
    gates = [GateReport.model_validate(row.gate) for row in rows if row.gate]
    before = next((gate.current.score for gate in gates if gate.current), 0.0)
    return before, [
        Ended(
            GateReport.model_validate(row.gate).candidate.score
            if row.gate and row.state == "published"
            else None,
            cost_of(row).kwh,
        )
        for row in rows
    ]


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
                robots=each.robots,
            )
            for each in deltas
        ),
        training=order.training_of(row.number),
        plan=order.merge,
        gate=order.gate,
        version=version,
        optimiser_before=row.optimiser_before,
        region=region,
        task=task,
    )


def state_before(session: Session, base: str, training: TrainingPlan) -> str | None:
    """The server optimiser's state with which a round of this plan goes on from a version.

    It is of the round that made the version, whichever campaign that was in, for it belongs to the skill's
    lineage. None where no round made it, or another learner: steps and gradients of another loss lead
    elsewhere, so that what the version carries counts as nothing, too (`hub.workers.merge_round`).
    """
    both = select(RoundRow, CampaignRow).join(CampaignRow, CampaignRow.campaign_id == RoundRow.campaign_id)
    found = session.execute(both.where(RoundRow.candidate == base)).one_or_none()
    if found is None:
        return None
    row, campaign = found
    before = order_of(campaign).training_of(row.number)
    return row.optimiser_after if before.learner == training.learner else None


def enter_state(session: Session, row: RoundRow, event: RoundEvent, now: datetime, reason: str = "") -> None:
    """Take a round where an event leads, and tell listeners; a round that began from its candidate follows.

    Raises:
        ConflictError: The event does not belong to the round's state.
    """
    was_measured = row.state == "gating"
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
    if was_measured and row.state != "published":
        ahead = select(RoundRow).where(RoundRow.campaign_id == row.campaign_id, RoundRow.state == "open")
        its = ahead.where(RoundRow.base == row.candidate).with_for_update()
        for each in session.scalars(its.execution_options(populate_existing=True)).all():
            enter_state(session, each, "baseless", now, BASELESS)


def collections_of(
    session: Session,
    rows: Sequence[RoundRow],
    campaigns: Mapping[str, CampaignRow],
    now: datetime,
    active_seconds: float,
) -> dict[str, Collection]:
    """By round: who has sent a delta, and who is still expected to; `campaigns` are theirs, by id."""
    those = {"rounds": [row.round_id for row in rows]}
    arrived: dict[str, dict[str, int]] = {round_id: {} for round_id in those["rounds"]}
    for round_id, robot_id, staleness in session.execute(ARRIVED, those):
        arrived[round_id][robot_id] = staleness
    assigned: dict[str, set[str]] = {round_id: set() for round_id in those["rounds"]}
    for round_id, robot_id in session.execute(GIVEN, those):
        assigned[round_id].add(robot_id)
    of_round = {row.round_id: campaigns[row.campaign_id] for row in rows}
    asking: dict[str, set[str]] = {row.skill: set() for row in of_round.values()}
    lately = {"skills": list(asking), "since": now - timedelta(seconds=active_seconds)}
    for skill, robot_id in session.execute(ASKED, lately):
        asking[skill].add(robot_id)
    orders = {round_id: order_of(campaign) for round_id, campaign in of_round.items()}
    return {
        row.round_id: Collection(
            order=orders[row.round_id],
            deadline=row.deadline,
            arrived=frozenset(arrived[row.round_id]),
            expected=frozenset(assigned[row.round_id] | asking[of_round[row.round_id].skill]),
            stale=sum(staleness > 0 for staleness in arrived[row.round_id].values()),
            masters=orders[row.round_id].training_of(row.number).master_iterations > 0,
        )
        for row in rows
    }


def deltas_come(session: Session, round_id: str) -> int:
    """How many deltas a round has: what is asked with each news, before anybody is named."""
    return session.scalars(COME, {"round": round_id}).one()


def collection_of(session: Session, row: RoundRow, now: datetime, active_seconds: float) -> Collection:
    """Who has sent a delta for one round, and who is still expected to."""
    campaigns = {row.campaign_id: session.get_one(CampaignRow, row.campaign_id)}
    return collections_of(session, [row], campaigns, now, active_seconds)[row.round_id]


def missing_of(
    session: Session, collections: dict[str, Collection], now: datetime, active_seconds: float
) -> dict[str, list[Missing]]:
    """By round: whom it waits for, and whether they are still heard of."""
    waits = {round_id: each.expected - each.arrived for round_id, each in collections.items()}
    wanted = select(RobotRow).where(RobotRow.robot_id.in_(frozenset[str]().union(*waits.values())))
    robots = {row.robot_id: _missing(row, now, active_seconds) for row in session.scalars(wanted)}
    return {
        round_id: [robots[name] for name in sorted(names) if name in robots]
        for round_id, names in waits.items()
    }


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
