"""The steps of a withdrawal: take back, merge again, measure, clear away.

Each does its work first, blobs before rows, and then enters the result in one transaction, under its lease,
that looks again whether the plan is still the same. Done twice, a step gives the same bits. What one works on
is no other's: a withdrawal that would touch the same skills waits. Which step is next is
`hub.withdrawals.worker`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.attestations.keeping import Attestations, Kept
from hub.catalogue.catalogue import add_version
from hub.catalogue.channels import is_fit, kept_on, least_of
from hub.catalogue.moves import make_stable
from hub.catalogue.publishing import next_number
from hub.clock import Clock
from hub.organisations.quotas import hold, keep
from hub.queue.leased_queue import Held
from hub.queue.leases import LeaseLostError
from hub.rounds.journal import deltas_of, merge_job, order_of, state_before
from hub.storage.blobs import blobs_of
from hub.storage.database import Database
from hub.storage.discards import discard
from hub.storage.objects import StoreError
from hub.storage.regions import Stores, region_of
from hub.storage.tables.rounds import CampaignRow, RoundRow
from hub.storage.tables.skills import ChannelRow, SkillRow, VersionRow
from hub.storage.tables.withdrawals import WithdrawalRow
from hub.tasks.sources import task_source
from hub.withdrawals.plan import FROM_THE_START, Plan, Remaining, changed_round, changed_skill
from hub.withdrawals.taking_back import drop_round, take_back
from hub.workers.job import GateJob, JobAbandonedError, Jobs, MergeJob, MergeResult, WorkersAwayError
from skills.errors import TooLargeError, ZunftError
from skills.manifest import Manifest
from skills.messages.skills import GateReport
from skills.messages.withdrawals import WithdrawalView

__all__ = ["WithdrawalEntry", "WithdrawalSteps"]

AGAIN = "Merged again without a robot that was withdrawn."
OF_COLLECTING = ("missing",)
"""Metrics of a round that do not come from its merge."""


class SkillsHeldError(ZunftError):
    """A withdrawal waits for another one."""

    code = "skills_held"
    status = 503


NOT_NOW = (StoreError, WorkersAwayError, JobAbandonedError, LeaseLostError)


@dataclass
class WithdrawalEntry:
    """A withdrawal in the transaction of a step; plan and report are kept at its end."""

    session: Session
    row: WithdrawalRow
    plan: Plan
    report: WithdrawalView


@dataclass(frozen=True)
class WithdrawalSteps:
    """One method a kind of task.

    Attributes:
        sign: The hub's signature on a digest.
    """

    database: Database
    stores: Stores
    jobs: Jobs
    sign: Callable[[str], str]
    attestations: Attestations
    clock: Clock

    def take_back(self, held: Held[WithdrawalRow], plan: Plan) -> None:
        """Take back what the robot gave.

        Raises:
            SkillsHeldError: Not now, for another withdrawal makes versions of the same skills again.
        """
        with self._commit(held, plan) as entry:
            if entry is not None:
                withdrawal_id = held.row.withdrawal_id
                entry.plan, entry.report = take_back(
                    entry.session,
                    self.attestations,
                    withdrawal_id,
                    entry.report,
                    plan.purge,
                    self.clock(),
                )
                # Looked at last, when the skills' campaigns are locked: of two, one sees the other.
                _check_free(entry.session, withdrawal_id, {each.skill for each in entry.report.skills})

    def merge(self, held: Held[WithdrawalRow], plan: Plan, task: Remaining) -> None:
        """Merge a round again onto what took the place of its base, or drop it."""
        tip = plan.tips.get(task.skill, "")
        with self.database.read() as session:
            job, reason = _job_of(session, task, tip)
        if reason:
            self._drop(held, plan, task, reason)
            return
        try:
            made = self.jobs.run(job, held.given_up)
            self._enter(held, plan, task, job, made)
        except NOT_NOW:
            raise
        except ZunftError as error:
            self._drop(held, plan, task, error.message)

    def _enter(
        self, held: Held[WithdrawalRow], plan: Plan, task: Remaining, job: MergeJob, made: MergeResult
    ) -> None:
        kept = self.attestations.merge(job, made)
        try:
            with self._commit(held, plan) as entry:
                if entry is None:
                    return
                session, now = entry.session, self.clock()
                if next_number(session, task.skill) != job.version:
                    # Somebody published meanwhile: the step is done again, with the number after that.
                    discard(session, job.region, made.digest, now)
                    kept.drop(session, now)
                    return
                signature = self.sign(made.digest)
                version = add_version(
                    session, made.manifest, made.digest, made.size, signature, now, by=THE_HUB
                )
                kept.enter(session, version, now)
                _write_into(_locked(session, task.round_id), job, made)
                changes = {"outcome": "rebuilt", "version_after": made.manifest.version}
                entry.report = _with_round(entry.report, task, **changes)
                entry.plan = plan.after(**{task.skill: made.digest})
        except TooLargeError:
            with self.database.write() as session:
                discard(session, job.region, made.digest, self.clock())
                kept.drop(session, self.clock())
            raise

    def _drop(self, held: Held[WithdrawalRow], plan: Plan, task: Remaining, reason: str) -> None:
        with self._commit(held, plan) as entry:
            if entry is None:
                return
            row = _locked(entry.session, task.round_id)
            row.optimiser_before = None
            drop_round(entry.session, row, reason, self.clock())
            entry.report = _with_round(entry.report, task, outcome="dropped", reason=reason)
            entry.plan = plan.after()

    def measure(self, held: Held[WithdrawalRow], plan: Plan, task: Remaining) -> None:
        """Hold what came out to the last version before the robot: it becomes stable if it is not worse."""
        anchor, tip = plan.anchors.get(task.skill, ""), plan.tips.get(task.skill, "")
        found, kept, reason = (None, None, "Nothing was left to be merged again.")
        if anchor != tip:
            found, kept, reason = self._gate(held, task.skill, tip, anchor)
        with self._commit(held, plan) as entry:
            if entry is None:
                return
            if found is not None and kept is not None:
                reason = self._enter_report(entry.session, task.skill, anchor, tip, found, kept)
            channel = entry.session.get(ChannelRow, (task.skill, "stable"))
            changes = {
                "stable_after": channel.number if channel else None,
                "gate": found,
                "score_after": found.candidate if found else None,
                "reason": reason,
            }
            skills = changed_skill(entry.report.skills, task.skill, **changes)
            entry.report = entry.report.model_copy(update={"skills": skills})
            entry.plan = plan.after()

    def _gate(
        self, held: Held[WithdrawalRow], skill: str, tip: str, anchor: str
    ) -> tuple[GateReport | None, Kept | None, str]:
        with self.database.read() as session:
            row = session.scalars(select(RoundRow).where(RoundRow.candidate == tip)).one()
            order = order_of(session.get_one(CampaignRow, row.campaign_id))
            region, source = region_of(session, skill), task_source(session, skill)
            job = GateJob(
                candidate=tip,
                current=anchor,
                kept=kept_on(session, skill),
                plan=order.gate.model_copy(update={"on_weak_arm": "reject"}),
                least=least_of(session, skill),
                region=region,
                task=source,
            )
        try:
            found = self.jobs.run(job, held.given_up)
            return found.report, self.attestations.gate(job, found), ""
        except NOT_NOW:
            raise
        except ZunftError as error:
            return None, None, f"It cannot be measured: {error.message}"

    def _enter_report(
        self, session: Session, skill: str, anchor: str, tip: str, report: GateReport, kept: Kept
    ) -> str:
        """Keep what was measured, and move the channel if it passed; returns why, or why not."""
        version, before = (
            session.scalars(select(VersionRow).where(VersionRow.digest == each)).one()
            for each in (tip, anchor)
        )
        row = session.scalars(select(RoundRow).where(RoundRow.candidate == tip)).one()
        kept.enter(session, version, self.clock())
        version.gate = row.gate = report.model_dump(mode="json")
        version.score = report.candidate.model_dump(mode="json")
        channel = session.get(ChannelRow, (skill, "stable"), with_for_update=True, populate_existing=True)
        if channel is not None and channel.number != before.number:
            return "An operator moved the channel meanwhile, and it stays there."
        if report.passed and is_fit(version):
            make_stable(session, self.attestations, version, self.clock(), reason=report.reason)
        return report.reason

    def clear_away(
        self, held: Held[WithdrawalRow], plan: Plan, finish: Callable[[WithdrawalEntry], None]
    ) -> None:
        """Delete files that no row names any longer, and be done."""
        with self.database.read() as session:
            purged = _to_purge(session, plan) if plan.purge else {}
            named = {digest for _, digest in blobs_of(session)}
        gone = {each.digest: each.region for each in plan.blobs if each.digest not in named} | purged
        for digest, region in gone.items():
            if held.given_up():
                raise JobAbandonedError("another process goes on with this withdrawal.")
            self.stores.of(region).delete(digest)
        with self._commit(held, plan) as entry:
            if entry is None:
                return
            for digest in purged:
                _mark_purged(entry.session, digest, self.clock())
            entry.plan = Plan(touched=plan.touched, purge=plan.purge)
            finish(entry)

    @contextmanager
    def _commit(self, held: Held[WithdrawalRow], plan: Plan) -> Iterator[WithdrawalEntry | None]:
        """The transaction of a step; None where the plan is another meanwhile."""
        with held.commit() as session:
            row = held.row
            if row.state != "working" or Plan.model_validate(row.plan) != plan:
                yield None
                return
            entry = WithdrawalEntry(session, row, plan, WithdrawalView.model_validate(row.report))
            yield entry
            row.plan = entry.plan.model_dump(mode="json")
            row.report = entry.report.model_dump(mode="json")


def _check_free(session: Session, withdrawal_id: str, skills: set[str]) -> None:
    others = WithdrawalRow.state == "working", WithdrawalRow.withdrawal_id != withdrawal_id
    for found, report in session.execute(select(WithdrawalRow.plan, WithdrawalRow.report).where(*others)):
        has_begun = Plan.model_validate(found).tasks[:1] != FROM_THE_START.tasks
        shared = skills & {each.skill for each in WithdrawalView.model_validate(report).skills}
        if has_begun and shared:
            raise SkillsHeldError(f"another withdrawal works on {', '.join(sorted(shared))}.")


def _job_of(session: Session, task: Remaining, tip: str) -> tuple[MergeJob, str]:
    """What is to be merged onto the tip, and why that makes no sense; empty where it does."""
    row = session.get_one(RoundRow, task.round_id)
    order = order_of(session.get_one(CampaignRow, row.campaign_id))
    region, number = region_of(session, task.skill), next_number(session, task.skill)
    before = state_before(session, tip, order.training_of(row.number))  # as at the opening of a round
    source = task_source(session, task.skill)
    job = merge_job(row, deltas_of(session, row.round_id), order, number, region, source)
    job = job.model_copy(update={"base": tip, "optimiser_before": before})
    networks = [
        Manifest.model_validate(manifest).network
        for manifest in session.scalars(
            select(VersionRow.manifest).where(VersionRow.digest.in_([row.base, tip]))
        )
    ]
    if not tip:
        return job, "No version is left to begin from."
    fits = all(each == networks[0] for each in networks)
    return job, "" if fits else "The version that took the place of its base has another network."


def _locked(session: Session, round_id: str) -> RoundRow:
    return session.get_one(RoundRow, round_id, with_for_update=True, populate_existing=True)


def _write_into(row: RoundRow, job: MergeJob, made: MergeResult) -> None:
    """The journal tells of the merge that there is now."""
    row.base, row.candidate, row.gate, row.reason = job.base, made.digest, None, AGAIN
    row.optimiser_before, row.optimiser_after = job.optimiser_before, made.optimiser_after
    row.device, row.root = made.device, made.root
    collected = {name: row.metrics[name] for name in OF_COLLECTING if name in row.metrics}
    row.metrics = {**collected, **made.metrics, "merge_seconds": made.seconds}


def _with_round(report: WithdrawalView, task: Remaining, **changes: object) -> WithdrawalView:
    skills = changed_round(report.skills, task.skill, task.round_id, **changes)
    return report.model_copy(update={"skills": skills})


def _to_purge(session: Session, plan: Plan) -> dict[str, str]:
    """Region by digest of the files that contain the robot and are there still."""
    there = VersionRow.digest.in_(plan.touched), VersionRow.purged_at.is_(None)
    rows = session.scalars(select(VersionRow).where(*there))
    return {row.digest: region_of(session, row.skill) for row in rows}


def _mark_purged(session: Session, digest: str, now: datetime) -> None:
    version = session.scalars(select(VersionRow).where(VersionRow.digest == digest)).one()
    owner = session.get_one(SkillRow, version.skill).organisation
    keep(hold(session, owner)[owner], -version.size)
    version.purged_at = now
