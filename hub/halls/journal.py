"""The journal of the larger hall's rounds: what was asked, by which campaign of this hall it is worked on.

    given ──▶ working ──▶ owed ──▶ handed ──▶ recalled
      └──────────┴──────────┴────▶ dropped

Each step is one transaction. What is owed is made from the campaign's own rounds, the same bits each time: so
nothing has to be kept for it, and a hall that was killed goes on where it was. That a delta counts once is
the larger hall's to see: it takes one of each member and round.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.clock import Clock
from hub.halls.leaving import why_not
from hub.halls.share import OwnRound, share_of
from hub.rounds.campaigns import Campaigns
from hub.rounds.journal import deltas_of, merge_job, order_of, rounds_of
from hub.storage.database import Database
from hub.storage.record import record
from hub.storage.regions import Stores, region_of
from hub.storage.spool import Spool
from hub.storage.tables.halls import AdoptedRow, HallRoundRow
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.container import unpack
from skills.delta import Delta, DeltaHeader, clip, shapes_of_delta, unpacked_limit
from skills.messages.campaigns import CampaignRequest
from skills.messages.halls import SharePlan
from skills.messages.rounds import Assignment

__all__ = ["HallRounds", "RoundStanding"]

RoundStanding = Literal["given", "working", "owed", "handed", "recalled", "dropped"]
FINAL: frozenset[str] = frozenset({"handed", "recalled", "dropped"})
SHARE_OF_TIME = 0.8
"""Of what is left until the larger hall's deadline: for the rounds here, so that their outcome is in time."""
SHORTEST_SECONDS = 1.0
NEWEST = 20


@dataclass(frozen=True)
class HallRounds:
    """Each call is its own transaction."""

    database: Database
    stores: Stores
    spool: Spool
    campaigns: Campaigns
    clock: Clock

    def open(self, skill: str) -> HallRoundRow | None:
        """The round of this skill that is not done."""
        theirs = select(HallRoundRow).where(HallRoundRow.skill == skill, HallRoundRow.state.not_in(FINAL))
        with self.database.read() as session:
            return session.scalar(theirs.order_by(HallRoundRow.changed_at).limit(1))

    def newest(self) -> list[dict[str, Any]]:
        """The last rounds, the newest first, for people."""
        with self.database.read() as session:
            rows = session.scalars(
                select(HallRoundRow).order_by(HallRoundRow.changed_at.desc()).limit(NEWEST)
            )
            return [
                {
                    "round": row.round_id,
                    "skill": row.skill,
                    "state": row.state,
                    "campaign": row.campaign_id,
                    "delta": row.delta,
                    "robots": row.robots,
                    "samples": row.samples,
                    "reason": row.reason,
                }
                for row in rows
            ]

    def drop_unshared(self, shared: Collection[str]) -> None:
        """Drop the rounds of skills of which nothing leaves any more."""
        open_ones = select(HallRoundRow).where(HallRoundRow.state.not_in(FINAL))
        with self.database.read() as session:
            found = session.scalars(open_ones.where(HallRoundRow.skill.not_in(shared))).all()
        for row in found:
            self.drop(row.round_id, "Its owner lets nothing out of it any more.")

    def take(self, asked: Assignment) -> bool:
        """Note a round that the larger hall gave; False: it was given before, and is done."""
        with self.database.write() as session:
            if session.get(HallRoundRow, asked.round_id) is not None:
                return False
            row = HallRoundRow(
                round_id=asked.round_id,
                skill=asked.base.skill,
                assignment=asked.model_dump(mode="json"),
                state="given",
                reason="",
                campaign_id=None,
                delta=None,
                robots=0,
                samples=0,
                changed_at=self.clock(),
            )
            session.add(row)
            return True

    def begin(self, round_id: str, plan: SharePlan) -> str:
        """Start the campaign of this hall that works on it, from the base that was adopted; why not, if not.

        Raises:
            ConflictError: Another campaign for the skill runs: later.
        """
        with self.database.write() as session:
            row = session.get_one(HallRoundRow, round_id, with_for_update=True)
            asked = Assignment.model_validate(row.assignment)
            skill = session.get_one(SkillRow, row.skill)
            region = session.get_one(OrganisationRow, skill.organisation).region
            reason = why_not(plan, skill.visibility, region, asked.training)
            if reason:
                self._drop(session, row, reason)
                return reason
            base = session.get_one(AdoptedRow, asked.base.digest)
            order = _order(plan, asked, base.number, self.clock())
            row.campaign_id = self.campaigns.enter(session, order, by=THE_HUB).campaign_id
            self._enter(session, row, "working", "")
            return ""

    def look(self, round_id: str) -> bool:
        """Whether the campaign has ended; what was found good is owed then, and else nothing is."""
        with self.database.write() as session:
            row = session.get_one(HallRoundRow, round_id, with_for_update=True)
            campaign = session.get_one(CampaignRow, row.campaign_id)
            if campaign.state == "running":
                return False
            good = _good(session, campaign.campaign_id)
            if good:
                self._enter(session, row, "owed", "")
            else:
                last = rounds_of(session, campaign.campaign_id)
                why = campaign.reason or (last[-1].reason if last else "")
                self._drop(session, row, f"Nothing came of campaign {campaign.campaign_id}: {why}")
            return True

    def delta(self, round_id: str, robot_id: str, plan: SharePlan) -> Delta:
        """What is owed, made from the store; the same bits each time.

        Args:
            round_id: The larger hall's.
            robot_id: What this hall is called there.
            plan: What its owner lets out.

        Raises:
            NotFoundError, StoreError, ArtefactError: Something of it is lost.
        """
        with self.database.read() as session:
            row = session.get_one(HallRoundRow, round_id)
            asked = Assignment.model_validate(row.assignment)
            campaign = session.get_one(CampaignRow, row.campaign_id)
            region, order = region_of(session, row.skill), order_of(campaign)
            good = [
                (str(each.optimiser_after), merge_job(each, deltas_of(session, each.round_id), order, 1, ""))
                for each in _good(session, campaign.campaign_id)
            ]
        shapes = shapes_of_delta(asked.base.manifest, asked.training)
        spool, limit = self.spool.of(self.stores.of(region)), unpacked_limit(shapes)
        rounds = [
            OwnRound(
                job.deltas, job.training, job.plan, unpack(spool.map(state, limit), "optimiser state")[1]
            )
            for state, job in good
        ]
        found = share_of(rounds)
        behind = sorted({part.digest for each in rounds for part in each.deltas}) if plan.digests else []
        header = DeltaHeader(
            base=asked.base.digest,
            round_id=round_id,
            robot_id=robot_id,
            codec=asked.training.codec,
            samples=found.samples,
            robots=found.robots,
            behind=tuple(behind),
        )
        return Delta(header, clip(found.tensors, asked.training.clip_norm))

    def handed(self, round_id: str, digest: str, share: DeltaHeader) -> None:
        """The larger hall has it, durably."""
        with self.database.write() as session:
            row = session.get_one(HallRoundRow, round_id, with_for_update=True)
            row.delta, row.robots, row.samples = digest, share.robots, share.samples
            self._enter(session, row, "handed", "")

    def to_recall(self) -> list[str]:
        """Rounds for which something was handed up that a robot had a part in which was withdrawn since."""
        theirs = RoundRow.campaign_id == HallRoundRow.campaign_id
        made = VersionRow.digest == RoundRow.candidate
        withdrawn = VersionRow.withdrawn_at.is_not(None)
        found = select(HallRoundRow.round_id).join(RoundRow, theirs).join(VersionRow, made)
        with self.database.read() as session:
            rows = session.scalars(found.where(HallRoundRow.state == "handed", withdrawn).distinct())
            return sorted(rows)

    def recalled(self, round_ids: Sequence[str]) -> None:
        """The larger hall makes it again without."""
        with self.database.write() as session:
            for each in round_ids:
                row = session.get_one(HallRoundRow, each, with_for_update=True)
                self._enter(session, row, "recalled", "A robot that had a part in it was withdrawn.")

    def drop(self, round_id: str, reason: str) -> None:
        """Nothing comes of it here."""
        with self.database.write() as session:
            self._drop(session, session.get_one(HallRoundRow, round_id, with_for_update=True), reason)

    def _drop(self, session: Session, row: HallRoundRow, reason: str) -> None:
        self._enter(session, row, "dropped", reason)

    def _enter(self, session: Session, row: HallRoundRow, state: RoundStanding, reason: str) -> None:
        row.state, row.reason, row.changed_at = state, reason[:2000], self.clock()
        record(
            session,
            f"hall.round_{state}",
            row.changed_at,
            skill=row.skill,
            round_id=row.round_id,
            campaign_id=row.campaign_id,
            reason=row.reason,
        )


def _order(plan: SharePlan, asked: Assignment, base: int, now: datetime) -> CampaignRequest:
    """This hall's campaign for a round of the larger one: its training and base, and a rule of our own."""
    left = SHARE_OF_TIME * (asked.deadline - now).total_seconds() / plan.rounds
    rate = {"learning_rate": asked.learning_rate, "final_learning_rate": asked.learning_rate}
    return CampaignRequest(
        skill=plan.skill,
        rounds=plan.rounds,
        training=asked.training.model_copy(update=rate),
        merge=plan.merge,
        gate=plan.gate,
        quorum=plan.quorum,
        target=plan.target,
        deadline_seconds=max(SHORTEST_SECONDS, left),
        release="none",
        base=base,
    )


def _good(session: Session, campaign_id: str) -> list[RoundRow]:
    """The rounds whose candidate this hall's gate let pass, each made from the one before."""
    return [row for row in rounds_of(session, campaign_id) if row.state == "published"]
