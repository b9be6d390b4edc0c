"""The engine of roll-outs: takes each one on whenever something has become of it.

Each step is one transaction under the roll-out's lease that looks again first, so engines of several
processes share them, and whoever comes after one that was killed finds it before the step or behind it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.attestations.keeping import Attestations, has_gate
from hub.catalogue.catalogue import Catalogue
from hub.catalogue.channels import is_fit
from hub.clock import Clock
from hub.queue.leased_queue import Held, LeasedQueue
from hub.rollouts.claims import ClaimBook
from hub.rollouts.facts import seen_of, state_of
from hub.rollouts.journal import enter
from hub.rollouts.states import Due, due
from hub.storage.database import Database
from hub.storage.record import HUB
from hub.storage.regions import region_of
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.tasks.sources import task_source
from hub.workers.job import GateJob, Jobs, Least
from skills.errors import ZunftError
from skills.manifest import Manifest
from skills.messages.plans import GatePlan
from skills.messages.rollouts import UNENDED

__all__ = ["RolloutEngine"]

INTERNAL = "an internal error, see the hub's log."


class RolloutEngine:
    """Moves roll-outs on. `run_once` is the whole of it; a background loop repeats it.

    Args:
        database: Where the rows are.
        jobs: Who measures a version that no gate has seen.
        attestations: Where the gate's word for it is kept.
        catalogue: Where what it found is entered.
        queue: Of roll-outs.
        clock: The time.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        attestations: Attestations,
        catalogue: Catalogue,
        queue: LeasedQueue[RolloutRow],
        clock: Clock,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._attestations = attestations
        self._catalogue = catalogue
        self._queue = queue
        self._clock = clock
        self._book = ClaimBook()

    def run_once(self) -> bool:
        """Take each roll-out on of which something has become and nobody is at work; True when any moved."""
        moved = [
            self._queue.do(self._step, self._give_up, RolloutRow.rollout_id == rollout_id)
            for rollout_id in self._due()
        ]
        return any(moved)

    def _due(self) -> list[str]:
        now = self._clock()
        with self._database.read() as session:
            rows = session.scalars(queued(session).order_by(RolloutRow.created_at, RolloutRow.rollout_id))
            all_of_them = rows.all()
            self._book.keep({row.rollout_id for row in all_of_them})
            return [row.rollout_id for row in all_of_them if self._is_due(session, row, now)]

    def _is_due(self, session: Session, row: RolloutRow, now: datetime) -> bool:
        """By what is remembered of reports; the step itself reads all of them."""
        if row.state == "measuring":
            return True
        seen, _ = seen_of(session, row, now, self._book.by_ring(session, row, now))
        return due(state_of(row), seen, now) is not None

    def _step(self, held: Held[RolloutRow]) -> None:
        if held.row.state == "measuring":
            self._measure(held)
        with held.commit() as session:
            now = self._clock()
            row = session.get_one(RolloutRow, held.row.rollout_id, populate_existing=True)
            found, known = _found(session, row, now)
            if found is not None:
                enter(
                    session,
                    self._attestations,
                    row,
                    found.event,
                    now,
                    by=HUB,
                    reason=found.reason,
                    known=known,
                )

    def _measure(self, held: Held[RolloutRow]) -> None:
        """Have the gate see a version that it has not seen."""
        with self._database.read() as session:
            version = session.get_one(VersionRow, (held.row.skill, held.row.new))
            if version.gate is not None and has_gate(session, version):
                return
            job = _job(session, version)
        found = self._jobs.run(job, held.given_up)
        self._catalogue.record_report(job.candidate, found.report, self._attestations.gate(job, found))

    def _give_up(self, held: Held[RolloutRow], error: Exception) -> None:
        known = error.message if isinstance(error, ZunftError) else INTERNAL
        with held.commit() as session:
            row = session.get_one(RolloutRow, held.row.rollout_id, populate_existing=True)
            if row.state in UNENDED:
                reason = f"It cannot go on: {known}"
                enter(session, self._attestations, row, "failed", self._clock(), by=HUB, reason=reason)


def queued(_: Session) -> Select[RolloutRow]:
    """Roll-outs that have not ended."""
    return select(RolloutRow).where(RolloutRow.state.in_(UNENDED))


def _found(session: Session, row: RolloutRow, now: datetime) -> tuple[Due | None, dict[str, float]]:
    """What has become of a roll-out, and the figures that say so."""
    if row.state == "measuring":
        return _measured(session, row), {}
    seen, figures = seen_of(session, row, now)
    return due(state_of(row), seen, now), figures.as_dict()


def _measured(session: Session, row: RolloutRow) -> Due:
    """What the gate has found of the new version."""
    version = session.get_one(VersionRow, (row.skill, row.new))
    if version.withdrawn_at is not None or not is_fit(version):
        return Due("failed", f"v{row.new} is not fit: it was withdrawn, or did not reach the minimum.")
    return Due("measured", "")


def _job(session: Session, version: VersionRow) -> GateJob:
    return GateJob(
        candidate=version.digest,
        current=None,
        plan=GatePlan(),
        least=Least(success=session.get_one(SkillRow, version.skill).minimum),
        region=region_of(session, version.skill),
        task=task_source(session, version.skill, Manifest.model_validate(version.manifest)),
    )
