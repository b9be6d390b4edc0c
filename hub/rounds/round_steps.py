"""The engine's steps: the work of each state of a round, and its entry into the journal.

Each step does its work first, blobs before rows, and then enters the result in one transaction, under its
lease, that looks again whether the round is still where it was. Done twice, a step gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.attestations.keeping import Attestations, Kept
from hub.catalogue.catalogue import Catalogue, add_version, resolve
from hub.catalogue.channels import best_before, is_fit, kept_on, least_of, stable_of
from hub.catalogue.moves import make_stable
from hub.catalogue.publishing import next_number
from hub.clock import Clock
from hub.organisations.quotas import hold
from hub.queue.leased_queue import Held
from hub.rollouts.journal import begin
from hub.rounds.costs import collecting, not_worth, working
from hub.rounds.journal import (
    brought_to,
    charge,
    collection_of,
    current_round,
    deltas_come,
    deltas_of,
    ended_of,
    enter_state,
    fetched_for,
    find_round,
    merge_job,
    missing_of,
    order_of,
    rounds_of,
    state_before,
    state_of,
)
from hub.rounds.states import collection_event, least_of_deltas, without
from hub.storage.database import Database
from hub.storage.discards import Discards, discard
from hub.storage.record import record
from hub.storage.regions import region_of
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.tasks.sources import task_source
from hub.tuf.own_keys import key_of
from hub.workers.job import GateJob, Jobs, MergeJob, MergeResult
from hub.workers.metering import Spent
from skills.errors import TooLargeError, ZunftError
from skills.messages.campaigns import CampaignRequest
from skills.messages.rollouts import RolloutRequest
from skills.messages.rounds import FINAL, RoundState
from skills.messages.skills import GateReport

__all__ = ["RoundSteps"]

FAILURES_ALLOWED = 3
"""Failed rounds in a row that end a campaign."""


class RoundSteps:
    """One method a state."""

    def __init__(
        self,
        database: Database,
        discards: Discards,
        jobs: Jobs,
        catalogue: Catalogue,
        attestations: Attestations,
        clock: Clock,
        active_seconds: float,
        core_watts: float,
    ) -> None:
        self._database = database
        self._discards = discards
        self._jobs = jobs
        self._catalogue = catalogue
        self._attestations = attestations
        self._clock = clock
        self._active_seconds = active_seconds
        self._core_watts = core_watts

    def queued(self, _: Session) -> Select[CampaignRow]:
        """Campaigns that run."""
        return select(CampaignRow).where(CampaignRow.state == "running")

    def due(self) -> list[str]:
        """Ids of the campaigns in which something is to be done now."""
        with self._database.read() as session:
            # While a robot is being withdrawn, its skills are the withdrawal's.
            free = CampaignRow.skill.in_(select(SkillRow.name).where(SkillRow.held_by.is_(None)))
            running = select(CampaignRow).where(CampaignRow.state == "running", free)
            rows = session.scalars(running.order_by(CampaignRow.created_at, CampaignRow.campaign_id)).all()
            return [each.campaign_id for each in rows if self._is_due(session, each)]

    def look(self, campaign_id: str) -> tuple[CampaignRow, RoundRow | None]:
        """A campaign and the round that is to be moved on, as they are now."""
        with self._database.read() as session:
            return session.get_one(CampaignRow, campaign_id), current_round(session, campaign_id)

    def begin(self, held: Held[CampaignRow], campaign: CampaignRow) -> bool:
        """Measure the version to start from, so that a gate that cannot work shows now; open round 1.

        Where nothing of it becomes stable, the base is measured beside the first candidate alone.
        """
        with self._database.read() as session:
            base = resolve(session, campaign.skill, str(order_of(campaign).base or "base"), THE_HUB)
            job = self._gate_job(session, campaign, base.digest, None)
        spent = Spent()
        if base.gate is None and order_of(campaign).release != "none":
            found = self._jobs.run(job, held.given_up)
            kept, spent = self._attestations.gate(job, found), found.spent
            self._catalogue.record_report(base.digest, found.report, kept)
        with held.commit() as session:
            first = self._open_round(session, campaign.campaign_id, 1)
            if first is not None:
                charge(first, working(spent, self._core_watts))
        return True

    def collect(self, held: Held[CampaignRow], row: RoundRow) -> bool:
        """Open: close the round once all are in, or at the deadline."""
        now = self._clock()
        with held.commit() as session:
            current = _still(session, row, "open")
            if current is None:
                return True
            collection = collection_of(session, current, now, self._active_seconds)
            event = collection_event(collection, now)
            if event is None:
                return True
            found = missing_of(session, {current.round_id: collection}, now, self._active_seconds)
            missing = found[current.round_id]
            short = f"Only {len(collection.arrived)} of {collection.order.quorum} deltas by the deadline."
            reason = {"starved": short, "late": without(missing)}.get(event, "")
            enter_state(session, current, event, now, reason)
            current.metrics = {**current.metrics, "missing": len(missing)}
            fetched, brought = fetched_for(session, current), brought_to(session, current.round_id)
            charge(current, collecting(brought, fetched, self._core_watts))
        return True

    def close(self, held: Held[CampaignRow], row: RoundRow) -> bool:
        """Closing: from here on the list of deltas is fixed."""
        with held.commit() as session:
            current = _still(session, row, "closing")
            if current is None:
                return True
            enter_state(session, current, "listed", self._clock())
        return True

    def merge(self, held: Held[CampaignRow], campaign: CampaignRow, row: RoundRow) -> bool:
        """Merging: make the candidate and enter it into the catalogue; open the next round, if ordered so."""
        with self._database.read() as session:
            number = next_number(session, campaign.skill)
            job = self._merge_job(session, campaign, row, number)
        made = self._jobs.run(job, held.given_up)
        kept = self._attestations.merge(job, made)
        try:
            with held.commit() as session:
                current = _still(session, row, "merging")
                if current is None:
                    self._let_go(session, job.region, made, kept)
                    return True
                # Before the look at numbers: other processes publish, too.
                hold(session, session.get_one(SkillRow, campaign.skill).organisation)
                if next_number(session, campaign.skill) != number:
                    # Somebody published meanwhile: the next turn makes one with the number after that.
                    self._let_go(session, job.region, made, kept)
                    return True
                now, signature = self._clock(), self._catalogue.sign(made.digest)
                version = add_version(
                    session, made.manifest, made.digest, made.size, signature, now, by=THE_HUB
                )
                kept.enter(session, version, now)
                current.candidate, current.optimiser_after = made.digest, made.optimiser_after
                current.device, current.root = made.device, made.root
                seconds = {"merge_seconds": made.seconds, "merge_core_seconds": made.spent.core_seconds}
                current.metrics = {**current.metrics, **made.metrics, **seconds}
                charge(current, working(made.spent, self._core_watts))
                enter_state(session, current, "merged", now)
                if order_of(campaign).ahead and row.number < order_of(campaign).rounds_in_all:
                    self._open_round(session, campaign.campaign_id, row.number + 1, made.digest)
        except TooLargeError:
            for each in _files(made, kept):
                self._discards.add(job.region, each)
            raise
        return True

    def _let_go(self, session: Session, region: str, made: MergeResult, kept: Kept) -> None:
        """Have files deleted later that no row came to name; ones that a row names stay."""
        for each in _files(made, kept):
            discard(session, region, each, self._clock())

    def examine(self, held: Held[CampaignRow], campaign: CampaignRow, row: RoundRow) -> bool:
        """Gating: measure the candidate against the stable version, or else its base; publish it or not.

        And against the best that either was made from: small losses are not to add up round by round.
        """
        with self._database.read() as session:
            base = session.scalars(select(VersionRow).where(VersionRow.digest == row.base)).one()
            stable = stable_of(session, campaign.skill)
            released = stable if order_of(campaign).release != "none" else None
            against = _passed_last(session, campaign) or released or base
            best = best_before(session, against)
            job = self._gate_job(session, campaign, str(row.candidate), against.digest)
            others = {"best": best.digest if best else None, "kept": kept_on(session, campaign.skill)}
            job = job.model_copy(update=others)
            if stable is None:  # robots of a weak arm would have nothing to stay with
                plan = job.plan.model_copy(update={"on_weak_arm": "reject"})
                job = job.model_copy(update={"plan": plan})
            if order_of(campaign).contributions:
                number = session.scalars(
                    select(VersionRow.number).where(VersionRow.digest == row.candidate)
                ).one()
                merged = self._merge_job(session, campaign, row, number)
                job = job.model_copy(update={"merged": merged, "root": row.root})
        found = self._jobs.run(job, held.given_up)
        kept = self._attestations.gate(job, found)
        with held.commit() as session:
            current = _still(session, row, "gating")
            if current is None:
                kept.drop(session, self._clock())
                return True
            charge(current, working(found.spent, self._core_watts))
            current.metrics = {**current.metrics, "gate_core_seconds": found.spent.core_seconds}
            self._enter_report(session, current, found.report, kept)
        return True

    def go_on(self, held: Held[CampaignRow], campaign: CampaignRow, row: RoundRow) -> bool:
        """Over: open the next round, or end the campaign."""
        with held.commit() as session:
            newest = rounds_of(session, campaign.campaign_id)
            failed = [each.state == "failed" for each in newest[-FAILURES_ALLOWED:]]
            if len(failed) == FAILURES_ALLOWED and all(failed):
                reason = f"{FAILURES_ALLOWED} rounds in a row failed; the last: {row.reason}"
                self._end(session, campaign.campaign_id, "failed", reason)
            elif row.number >= order_of(campaign).rounds_in_all:
                self._end(session, campaign.campaign_id, "finished", self._roll_out(session, campaign))
            elif enough := _enough(order_of(campaign), newest):
                reason = f"{enough} {self._roll_out(session, campaign)}".strip()
                self._end(session, campaign.campaign_id, "finished", reason)
            else:
                self._open_round(session, campaign.campaign_id, row.number + 1)
        return True

    def give_up(
        self, held: Held[CampaignRow], campaign: CampaignRow, row: RoundRow | None, reason: str
    ) -> None:
        """A step failed for good: the round fails; without a round, the campaign."""
        with held.commit() as session:
            if row is None:
                self._end(session, campaign.campaign_id, "failed", reason)
                return
            current = find_round(session, row.round_id, THE_HUB, lock=True)
            if state_of(current) not in FINAL:
                enter_state(session, current, "broken", self._clock(), reason)

    def _is_due(self, session: Session, campaign: CampaignRow) -> bool:
        """Whether there is more to do than to wait for deltas."""
        row, now = current_round(session, campaign.campaign_id), self._clock()
        if row is None or row.state != "open":
            return True
        if now < row.deadline and deltas_come(session, row.round_id) < least_of_deltas(order_of(campaign)):
            return False
        return collection_event(collection_of(session, row, now, self._active_seconds), now) is not None

    def _open_round(self, session: Session, campaign_id: str, number: int, base: str = "") -> RoundRow | None:
        """Open a round on this base, by default on what rounds of the skill begin from; None: not now."""
        campaign = session.get_one(CampaignRow, campaign_id, with_for_update=True, populate_existing=True)
        held = session.scalars(select(SkillRow.held_by).where(SkillRow.name == campaign.skill)).one()
        if campaign.state != "running" or held is not None:
            return None
        order, passed = order_of(campaign), _passed_last(session, campaign)
        own = str(order.base or "base")
        base = base or (passed or resolve(session, campaign.skill, own, THE_HUB)).digest
        now = self._clock()
        row = RoundRow(
            round_id=f"{campaign_id}-{number}",
            campaign_id=campaign_id,
            number=number,
            state="open",
            reason="",
            base=base,
            opened_at=now,
            deadline=now + timedelta(seconds=order.seconds_of(number)),
            metrics={},
            optimiser_before=state_before(session, base, order.training_of(number)),
        )
        session.add(row)
        session.flush()
        record(
            session,
            "round.open",
            now,
            skill=campaign.skill,
            round_id=row.round_id,
            campaign_id=campaign_id,
            number=number,
            base=base,
        )
        return row

    def _roll_out(self, session: Session, campaign: CampaignRow) -> str:
        """Bring the last version that passed to robots ring by ring, where that was ordered; in words."""
        version, order = _passed_last(session, campaign), order_of(campaign)
        if version is None or order.release != "canary":
            return ""
        request = RolloutRequest(
            skill=campaign.skill, version=version.number, rings=order.rings, reason=campaign.campaign_id
        )
        try:
            rollout = begin(session, request, self._clock(), by=THE_HUB)
        except ZunftError as error:
            return f"v{version.number} was not rolled out: {error}"
        return f"v{version.number} goes to robots by roll-out {rollout.rollout_id}."

    def _end(self, session: Session, campaign_id: str, state: str, reason: str) -> None:
        campaign = session.get_one(CampaignRow, campaign_id, with_for_update=True, populate_existing=True)
        if campaign.state == "running":
            campaign.state, campaign.reason = state, reason[:2000]
            record(
                session,
                f"campaign.{state}",
                self._clock(),
                campaign_id=campaign_id,
                skill=campaign.skill,
                reason=campaign.reason,
            )

    def _enter_report(self, session: Session, row: RoundRow, report: GateReport, kept: Kept) -> None:
        now = self._clock()
        version = session.scalars(select(VersionRow).where(VersionRow.digest == row.candidate)).one()
        kept.enter(session, version, now)
        version.gate = row.gate = report.model_dump(mode="json")
        version.score = report.candidate.model_dump(mode="json")
        row.metrics = {**row.metrics, "gate_seconds": report.seconds}
        enter_state(session, row, "passed" if report.passed else "refused", now, report.reason)
        campaign = session.get_one(CampaignRow, row.campaign_id)
        release = order_of(campaign).release
        waits = release == "none" or (release == "canary" and stable_of(session, campaign.skill) is not None)
        if report.passed and is_fit(version) and not waits:
            make_stable(session, self._attestations, version, now, reason=report.reason)

    def _merge_job(self, session: Session, campaign: CampaignRow, row: RoundRow, number: int) -> MergeJob:
        deltas, region = deltas_of(session, row.round_id), region_of(session, campaign.skill)
        return merge_job(
            row, deltas, order_of(campaign), number, region, task_source(session, campaign.skill)
        )

    def _gate_job(
        self, session: Session, campaign: CampaignRow, candidate: str, current: str | None
    ) -> GateJob:
        return GateJob(
            candidate=candidate,
            current=current,
            plan=order_of(campaign).gate,
            least=least_of(session, campaign.skill),
            region=region_of(session, campaign.skill),
            task=task_source(session, campaign.skill),
        )


def _passed_last(session: Session, campaign: CampaignRow) -> VersionRow | None:
    """What the next round begins from and is held to, where passing makes nothing stable by itself."""
    if order_of(campaign).release == "stable" and not key_of(session, campaign.skill):
        return None
    passed = [row.candidate for row in rounds_of(session, campaign.campaign_id) if row.state == "published"]
    found = select(VersionRow).where(VersionRow.digest.in_(passed[-1:]), VersionRow.withdrawn_at.is_(None))
    return session.scalar(found)


def _enough(order: CampaignRequest, rows: Sequence[RoundRow]) -> str:
    """Why a campaign ends before all its rounds, see `not_worth`; rounds before its last phase end none."""
    before, ended = ended_of(rows)
    if order.stop_when is None or len(rows) < order.stretches[-1].first + order.stop_when.rounds - 1:
        return ""
    return not_worth(order.stop_when, before, ended)


def _files(made: MergeResult, kept: Kept) -> list[str]:
    """What a merge has put into the store."""
    return [each for each in (made.digest, made.optimiser_after, kept.attested.digest) if each]


def _still(session: Session, row: RoundRow, state: RoundState) -> RoundRow | None:
    """The round, locked, if it is where it was; else somebody moved it and the caller's work is let go."""
    current = find_round(session, row.round_id, THE_HUB, lock=True)
    return current if current.state == state else None
