"""Campaigns: an operator's orders.

Rounds are moved on by `hub.rounds.engine`; what robots are to do says `hub.rounds.assignments`, deltas are
taken in by `hub.deltas.admission`. A campaign is its skill's: who may see and stop it follows from that.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import must_change, seen_skills
from hub.catalogue.catalogue import find_skill, own_skill, resolve
from hub.clock import Clock
from hub.merging import MergeError
from hub.organisations.eligibility import contributors
from hub.organisations.quotas import check_campaigns, hold
from hub.rounds.at_work import AT_WORK_ORDER, at_work, listed_at_work
from hub.rounds.journal import enter_state, find_round, rounds_of, state_of
from hub.rounds.round_views import (
    CAMPAIGN_ORDER,
    ROUND_ORDER,
    campaign_view,
    campaign_views,
    cost_of_skill,
    listed_campaigns,
    listed_rounds,
    round_views,
)
from hub.storage.database import Database
from hub.storage.paging import page_of
from hub.storage.record import note, record
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow
from hub.tasks.sources import advised
from hub.workers.merge_round import chain_of, check_low_rank
from skills.codecs import parse_codec
from skills.errors import ConflictError, NotFoundError
from skills.manifest import Manifest
from skills.messages.campaigns import CampaignPlan, CampaignRequest, CampaignView
from skills.messages.costs import Cost
from skills.messages.lists import AtWorkQuery, CampaignQuery, Page, RoundQuery
from skills.messages.rounds import FINAL, RobotAtWork, RoundView

__all__ = ["Campaigns", "CheckTask"]

CheckTask = Callable[[Session, Manifest, str], None]
"""Refuses campaigns for a task that cannot be measured: told the base's manifest and whose the skill is."""


class Campaigns:
    """Orders; each call is its own transaction."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        active_seconds: float,
        check_task: CheckTask,
    ) -> None:
        self._database = database
        self._clock = clock
        self._active_seconds = active_seconds
        self._check_task = check_task

    def advice(self, name: str, *, by: Principal) -> CampaignPlan:
        """What the task of a skill advises whoever orders a campaign; an order says in full what is done.

        Raises:
            NotFoundError: No such skill, or it has no version to start from.
            ForbiddenError: It is another organisation's.
            ContractError: The task is this machine's own, and cannot be read.
        """
        with self._database.read() as session:
            skill = own_skill(session, name, by)
            base = resolve(session, name, "base", by)
            return advised(session, Manifest.model_validate(base.manifest), skill.organisation)

    def start(self, request: CampaignRequest, *, by: Principal) -> CampaignView:
        """Take an order; the engine opens its first round.

        Raises:
            NotFoundError: No such skill, or it has no version to start from.
            ForbiddenError: It is another organisation's, or as many campaigns as may are running.
            ConflictError: A campaign for this skill is running.
            ContractError: This hub does not know the task, or the skill has no such matrices.
            CodecError: A plan names an unknown codec.
            MergeError: The rule does not take these options, needs a larger quorum, or is none for variates
                or factors.
        """
        with self._database.write() as session:
            row = self.enter(session, request, by=by)
            return campaign_view(session, row, self._clock(), self._active_seconds)

    def enter(self, session: Session, request: CampaignRequest, *, by: Principal) -> CampaignRow:
        """The same within the caller's transaction; see `start`."""
        for phase in request.stretches:
            parse_codec(phase.training.codec)
        _check_rule(request)
        now = self._clock()
        skill = own_skill(session, request.skill, by)
        base = resolve(session, skill.name, str(request.base or "base"), by)
        manifest = Manifest.model_validate(base.manifest)
        self._check_task(session, manifest, skill.organisation)
        for phase in request.stretches:
            check_low_rank(manifest, phase.training, request.merge)
        owner = hold(session, skill.organisation)[skill.organisation]
        running = _running(session, request.skill)
        if running is not None:
            raise ConflictError(
                f"campaign {running.campaign_id} for {request.skill} is running.",
                where="skill",
                remedy="Wait for it or stop it first.",
            )
        check_campaigns(session, owner)
        row = CampaignRow(
            campaign_id=f"c-{secrets.token_hex(5)}",
            skill=request.skill,
            state="running",
            reason="",
            order=_with_embodiments(session, request, skill).model_dump(mode="json"),
            created_at=now,
        )
        session.add(row)
        session.flush()
        record(session, "campaign.started", now, campaign_id=row.campaign_id, skill=row.skill)
        note(session, "campaign.started", now, by=by.actor, subject=row.campaign_id, skill=row.skill)
        return row

    def campaigns(self, viewer: Viewer, query: CampaignQuery) -> Page[CampaignView]:
        """Campaigns that the viewer sees, newest first, each with its last round."""
        now = self._clock()
        with self._database.read() as session:
            return page_of(
                session,
                listed_campaigns(viewer, query),
                CAMPAIGN_ORDER,
                query,
                lambda rows: campaign_views(session, rows, now, self._active_seconds),
            )

    def cost(self, skill: str, viewer: Viewer) -> Cost:
        """What all rounds of a skill's campaigns took.

        Raises:
            NotFoundError: No such skill.
        """
        with self._database.read() as session:
            find_skill(session, skill, viewer)
            return cost_of_skill(session, skill)

    def rounds(self, campaign_id: str, viewer: Viewer, query: RoundQuery) -> Page[RoundView]:
        """Rounds of a campaign, newest first.

        Raises:
            NotFoundError: No such campaign.
        """
        now = self._clock()
        with self._database.read() as session:
            campaign = _find(session, campaign_id, viewer)
            return page_of(
                session,
                listed_rounds(campaign_id, query),
                ROUND_ORDER,
                query,
                lambda rows: round_views(
                    session, [row[0] for row in rows], [campaign], now, self._active_seconds
                ),
            )

    def robots(self, campaign_id: str, viewer: Viewer, query: AtWorkQuery) -> Page[RobotAtWork]:
        """Robots in the newest round of a campaign, or in the one asked for, that the viewer tells apart.

        Raises:
            NotFoundError: No such campaign, or it has no such round.
        """
        lately = self._clock() - timedelta(seconds=self._active_seconds)
        with self._database.read() as session:
            _find(session, campaign_id, viewer)
            newest = select(RoundRow).where(RoundRow.campaign_id == campaign_id)
            if query.round is not None:
                newest = newest.where(RoundRow.number == query.round)
            entry = session.scalars(newest.order_by(RoundRow.number.desc()).limit(1)).first()
            if entry is None and query.round is not None:
                raise NotFoundError(f"{campaign_id} has no round {query.round}.", where="round")
            if entry is None:
                return Page(items=())
            found = listed_at_work(viewer, entry.round_id)
            return page_of(session, found, AT_WORK_ORDER, query, lambda rows: at_work(rows, entry, lately))

    def campaign(self, campaign_id: str, viewer: Viewer) -> CampaignView:
        """One campaign with its newest rounds.

        Raises:
            NotFoundError: No such campaign.
        """
        with self._database.read() as session:
            row = _find(session, campaign_id, viewer)
            return campaign_view(session, row, self._clock(), self._active_seconds)

    def stop(self, campaign_id: str, *, by: Principal) -> CampaignView:
        """End a campaign now; its unfinished round gives no candidate. Stopping twice is stopping once.

        Raises:
            NotFoundError: No such campaign.
            ForbiddenError: It is another organisation's.
        """
        now = self._clock()
        with self._database.write() as session:
            row = _find(session, campaign_id, by, lock=True)
            must_change(by, session.get_one(SkillRow, row.skill).organisation, f"campaign {campaign_id}")
            if row.state == "running":
                row.state, row.reason = "stopped", "Stopped by an operator."
                for each in rounds_of(session, campaign_id):
                    if state_of(each) not in FINAL:
                        locked = find_round(session, each.round_id, by, lock=True)
                        enter_state(session, locked, "stopped", now)
                record(session, "campaign.stopped", now, campaign_id=campaign_id, skill=row.skill)
                note(session, "campaign.stopped", now, by=by.actor, subject=campaign_id, skill=row.skill)
            return campaign_view(session, row, now, self._active_seconds)

    def round(self, round_id: str, viewer: Viewer) -> RoundView:
        """One round.

        Raises:
            NotFoundError: No such round.
        """
        with self._database.read() as session:
            row = find_round(session, round_id, viewer)
            campaign = session.get_one(CampaignRow, row.campaign_id)
            return round_views(session, [row], [campaign], self._clock(), self._active_seconds)[0]


def _running(session: Session, skill: str) -> CampaignRow | None:
    statement = select(CampaignRow).where(CampaignRow.skill == skill, CampaignRow.state == "running")
    return session.scalar(statement)


def _check_rule(request: CampaignRequest) -> None:
    chain = chain_of(request.merge)
    chain.check(request.quorum - request.contributions)  # each is left out once
    carries = any(phase.training.carries for phase in request.stretches)
    if carries and not chain.rule.averages:
        raise MergeError(
            f"a control variate is a mean, and {request.merge.rule} makes none.",
            where="merge.rule",
            remedy="Order variates with mean, or with a rule that robots may lie to, such as trimmed-mean.",
        )


def _with_embodiments(session: Session, request: CampaignRequest, skill: SkillRow) -> CampaignRequest:
    """Fix now which arms the gate examines, so that scores of all rounds can be compared."""
    if request.gate.embodiments:
        return request
    of_robots = contributors(skill), RobotRow.hall_robots.is_(None)
    arms = select(RobotRow.embodiment).where(*of_robots).distinct()
    enrolled = session.scalars(arms.order_by(RobotRow.embodiment))
    gate = request.gate.model_copy(update={"embodiments": tuple(enrolled)})
    return request.model_copy(update={"gate": gate})


def _find(session: Session, campaign_id: str, viewer: Viewer, *, lock: bool = False) -> CampaignRow:
    theirs = select(CampaignRow).where(CampaignRow.skill.in_(seen_skills(viewer)))
    found = theirs.where(CampaignRow.campaign_id == campaign_id)
    row = session.scalar(found.with_for_update() if lock else found)
    if row is None:
        raise NotFoundError(f"there is no campaign {campaign_id[:64]!r}.", where="campaign_id")
    return row
