"""Campaigns and rounds as people see them, many at a time: the number of statements does not grow with them.

Who may see which rows is decided by whoever reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from hub.access.principal import Viewer
from hub.access.visibility import seen_skills
from hub.rounds.journal import collections_of, cost_of, missing_of, order_of, state_of, work_of
from hub.rounds.states import Collection, Work, campaign_waits, waiting_for
from hub.storage.paging import Line, Order, Statement
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import SkillRow
from skills.messages.campaigns import CampaignView
from skills.messages.costs import Cost
from skills.messages.lists import CampaignQuery, RoundQuery
from skills.messages.rounds import FINAL, RoundView
from skills.messages.skills import GateReport

__all__ = [
    "CAMPAIGN_ORDER",
    "ROUND_ORDER",
    "campaign_view",
    "campaign_views",
    "cost_of_skill",
    "listed_campaigns",
    "listed_rounds",
    "round_views",
]

SHOWN_ROUNDS = 100
"""The newest so many stand in the view of one campaign; a list of campaigns shows of each the last."""
CAMPAIGN_ORDER = Order("campaigns", (CampaignRow.created_at, CampaignRow.campaign_id), descending=True)
ROUND_ORDER = Order("rounds", (RoundRow.number,), descending=True)
SUMS = [func.coalesce(func.sum(getattr(RoundRow, name)), 0) for name in Cost.model_fields]
"""Of all fields of `Cost`."""
LAST = (
    select(RoundRow.round_id)
    .where(RoundRow.campaign_id == CampaignRow.campaign_id)
    .order_by(RoundRow.number.desc())
    .limit(1)
    .correlate(CampaignRow)
).scalar_subquery()


def listed_campaigns(viewer: Viewer, query: CampaignQuery) -> Statement:
    """Campaigns that the viewer sees and asked for, each with the id of its last round."""
    found = select(CampaignRow, LAST).where(CampaignRow.skill.in_(seen_skills(viewer)))
    if query.skill:
        found = found.where(CampaignRow.skill == query.skill)
    if query.state:
        found = found.where(CampaignRow.state == query.state)
    return found


def listed_rounds(campaign_id: str, query: RoundQuery) -> Statement:
    """Rounds of a campaign that somebody asked for."""
    found = select(RoundRow).where(RoundRow.campaign_id == campaign_id)
    return found.where(RoundRow.state == query.state) if query.state else found


def campaign_view(session: Session, row: CampaignRow, now: datetime, active_seconds: float) -> CampaignView:
    """One campaign with its newest rounds."""
    newest = select(RoundRow).where(RoundRow.campaign_id == row.campaign_id).order_by(RoundRow.number.desc())
    rounds = session.scalars(newest.limit(SHOWN_ROUNDS)).all()[::-1]
    return _campaign_views(session, [row], rounds, now, active_seconds)[0]


def campaign_views(
    session: Session, rows: Sequence[Line], now: datetime, active_seconds: float
) -> list[CampaignView]:
    """Campaigns with their last rounds, from rows of `listed_campaigns`."""
    last = select(RoundRow).where(RoundRow.round_id.in_([row[1] for row in rows if row[1]]))
    return _campaign_views(
        session, [row[0] for row in rows], session.scalars(last).all(), now, active_seconds
    )


def _campaign_views(
    session: Session,
    campaigns: Sequence[CampaignRow],
    rounds: Sequence[RoundRow],
    now: datetime,
    active_seconds: float,
) -> list[CampaignView]:
    theirs: dict[str, list[RoundView]] = {row.campaign_id: [] for row in campaigns}
    for view in round_views(session, rounds, campaigns, now, active_seconds):
        theirs[view.campaign_id].append(view)
    held = select(SkillRow.name).where(SkillRow.name.in_({row.skill for row in campaigns}))
    names = set(session.scalars(held.where(SkillRow.held_by.is_not(None))))
    costs = _costs(session, campaigns)
    return [
        _campaign_view(
            row,
            tuple(theirs[row.campaign_id]),
            work_of(row, now),
            costs.get(row.campaign_id, Cost()),
            held=row.skill in names,
        )
        for row in campaigns
    ]


def _campaign_view(
    row: CampaignRow, rounds: tuple[RoundView, ...], work: Work, cost: Cost, *, held: bool
) -> CampaignView:
    waits = ""
    if row.state == "running":
        state, words = (rounds[-1].state, rounds[-1].waiting_for) if rounds else (None, "")
        waits = campaign_waits(state, words, work, held=held)
    return CampaignView.model_validate(
        {
            "campaign_id": row.campaign_id,
            "state": row.state,
            "reason": row.reason,
            "waiting_for": waits,
            "order": order_of(row),
            "created_at": row.created_at,
            "rounds": rounds,
            "cost": cost,
        }
    )


def round_views(
    session: Session,
    rows: Sequence[RoundRow],
    campaigns: Sequence[CampaignRow],
    now: datetime,
    active_seconds: float,
) -> list[RoundView]:
    """Rounds of these campaigns as robots and operators see them."""
    by_id = {row.campaign_id: row for row in campaigns}
    opened = [row for row in rows if row.state == "open"]
    collections = collections_of(session, opened, by_id, now, active_seconds)
    missing = missing_of(session, collections, now, active_seconds)
    totals = _totals(session, rows)
    views = []
    for row in rows:
        campaign = by_id[row.campaign_id]
        collection = collections.get(row.round_id) or Collection(
            order_of(campaign), row.deadline, frozenset(), frozenset()
        )
        work = Work() if state_of(row) in FINAL else work_of(campaign, now)
        words = waiting_for(state_of(row), collection, now, missing.get(row.round_id, []), work)
        views.append(_round_view(row, words, *totals.get(row.round_id, (0, 0, 0, 0))))
    return views


def _round_view(row: RoundRow, words: str, deltas: int, samples: int, size: int, late: int) -> RoundView:
    return RoundView(
        round_id=row.round_id,
        campaign_id=row.campaign_id,
        number=row.number,
        state=state_of(row),
        base=row.base,
        opened_at=row.opened_at,
        deadline=row.deadline,
        deltas=deltas,
        samples=samples,
        bytes=size,
        waiting_for=f"{words} {row.reason}".strip(),
        late=late,
        candidate=row.candidate,
        gate=GateReport.model_validate(row.gate) if row.gate else None,
        metrics=row.metrics,
        cost=cost_of(row),
    )


def cost_of_skill(session: Session, skill: str) -> Cost:
    """What all rounds of a skill's campaigns took."""
    theirs = select(*SUMS).where(
        RoundRow.campaign_id.in_(select(CampaignRow.campaign_id).filter_by(skill=skill))
    )
    return _cost(session.execute(theirs).one())


def _costs(session: Session, campaigns: Sequence[CampaignRow]) -> dict[str, Cost]:
    """What all rounds of each campaign took, by id."""
    of_those = RoundRow.campaign_id.in_([row.campaign_id for row in campaigns])
    found = session.execute(
        select(RoundRow.campaign_id, *SUMS).where(of_those).group_by(RoundRow.campaign_id)
    )
    return {row[0]: _cost(row[1:]) for row in found}


def _cost(sums: Sequence[float]) -> Cost:
    return Cost.model_validate(dict(zip(Cost.model_fields, sums, strict=True)))


def _totals(session: Session, rows: Sequence[RoundRow]) -> dict[str, tuple[int, int, int, int]]:
    """Deltas, samples, bytes and late deltas of each round that has any."""
    statement = select(
        DeltaRow.round_id,
        func.count(),
        func.sum(DeltaRow.samples),
        func.sum(DeltaRow.size),
        func.sum(case((DeltaRow.staleness > 0, 1), else_=0)),
    ).where(DeltaRow.round_id.in_([row.round_id for row in rows]))
    found = session.execute(statement.group_by(DeltaRow.round_id))
    return {row[0]: (row[1], int(row[2]), int(row[3]), int(row[4])) for row in found}
