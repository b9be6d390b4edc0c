"""Scores what became stable, one version after the other, the newest first; the measuring is a job.

What is left to do are rows, so that a hub that was killed at any line goes on from there, or another process
does. A lease that is renewed at work keeps two from measuring the same; who lost it lets its result go. A
score of another plan, or of a task that has changed since, is made anew.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Select, or_, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hub.auth import THE_HUB
from hub.clock import Clock
from hub.database import Database
from hub.jobs.job import JobAbandonedError, Jobs, Scored, ScoreJob, TaskSource, WorkersAwayError
from hub.leaderboards.rows import REASON_LENGTH, ScoreRow
from hub.models import VersionRow
from hub.regions import Stores, region_of
from hub.store import StoreError
from hub.tasks.sources import board_task
from skills.errors import ZunftError
from skills.leaderboards import BoardPlan

__all__ = ["Scorer"]

LOOK = timedelta(seconds=60)
"""How often it is looked whether tasks have changed."""
RENEWALS = 3
"""A lease is renewed so often before it would end."""

log = structlog.get_logger("zunft.leaderboards")


@dataclass(frozen=True)
class _Work:
    """A version to measure; `task_digest` None: there is no such task here."""

    digest: str
    task: str
    task_digest: str | None
    source: TaskSource | None
    region: str


class Scorer:
    """`work` does all that is to be done; it is called again and again.

    Args:
        database: Where the rows are.
        stores: Where replays are that nobody names any longer.
        jobs: Who measures.
        plan: How.
        clock: The time.
        lease_seconds: How long a lease lasts unless it is renewed.
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        jobs: Jobs,
        plan: BoardPlan,
        clock: Clock,
        lease_seconds: float,
    ) -> None:
        self._database = database
        self._stores = stores
        self._jobs = jobs
        self._plan = plan
        self._clock = clock
        self._lease = timedelta(seconds=lease_seconds)
        self._me = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._looked_at: datetime | None = None

    def work(self) -> None:
        """Measure what waits.

        Raises:
            StoreError, WorkersAwayError, OperationalError: Not now; nothing is lost.
        """
        while not self._stopping.is_set() and self.step():
            pass

    def stop(self) -> None:
        """End as soon as may be; another process, or a later start, goes on."""
        self._stopping.set()

    def step(self) -> bool:
        """Measure the newest version that waits; whether there was one."""
        self._look()
        work = self._take()
        if work is None:
            return False
        try:
            self._measure(work)
        except (OperationalError, StoreError, WorkersAwayError):
            raise
        except JobAbandonedError:
            self._put_down(work)
            return False
        except Exception as error:
            log.exception("leaderboards.failed", digest=work.digest)
            self._enter(work, None, _reason(error))
        return True

    def _look(self) -> None:
        """Have measured again what was measured by another plan or at another task."""
        now = self._clock()
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK:
            return
        over = ScoreRow.state.in_(["done", "failed"])
        with self._database.read() as session:  # hashes bundles, so nobody waits to write meanwhile
            known = session.execute(select(ScoreRow.task, ScoreRow.task_digest).where(over).distinct()).all()
            present = {task: board_task(session, task, THE_HUB) or (None, None) for task, _ in known}
        changed = [(task, digest) for task, digest in known if digest != present[task][0]]
        with self._database.write() as session:
            again = update(ScoreRow).where(over).values(state="waiting", wanted_at=now)
            session.execute(again.where(ScoreRow.plan != self._plan.model_dump_json()))
            for task, digest in changed:
                same = ScoreRow.task_digest.is_not_distinct_from(digest)
                session.execute(again.where(ScoreRow.task == task, same))
        self._looked_at = now

    def _take(self) -> _Work | None:
        now = self._clock()
        with self._database.read() as session:
            if session.scalar(self._newest(now)) is None:
                return None
        with self._database.write() as session:
            row = session.scalar(self._newest(now).with_for_update(of=ScoreRow, skip_locked=True))
            if row is None:
                return None
            row.state, row.leased_by, row.leased_until = "working", self._me, now + self._lease
        with self._database.read() as session:  # hashes a bundle, so nobody waits to write meanwhile
            digest, source = board_task(session, row.task, THE_HUB) or (None, None)
            return _Work(row.digest, row.task, digest, source, region_of(session, row.skill))

    def _newest(self, now: datetime) -> Select[ScoreRow]:
        free = or_(
            ScoreRow.leased_until.is_(None), ScoreRow.leased_until <= now, ScoreRow.leased_by == self._me
        )
        offered = select(ScoreRow).join(VersionRow, VersionRow.digest == ScoreRow.digest)
        due = offered.where(
            ScoreRow.state.in_(["waiting", "working"]), VersionRow.withdrawn_at.is_(None), free
        )
        return due.order_by(ScoreRow.wanted_at.desc(), ScoreRow.number.desc(), ScoreRow.digest).limit(1)

    def _measure(self, work: _Work) -> None:
        if work.task_digest is None:
            self._enter(work, None, f"This hub has no task {work.task}.")
            return
        job = ScoreJob(
            skill=work.digest,
            task_digest=work.task_digest,
            plan=self._plan,
            region=work.region,
            task=work.source,
        )
        scored = self._jobs.score(job, self._given_up(work.digest))
        self._enter(work, scored, "")

    def _given_up(self, digest: str) -> Callable[[], bool]:
        """Asked a few times a second while a worker measures: renews the lease."""
        renewed_at = self._clock()

        def given_up() -> bool:
            nonlocal renewed_at
            now = self._clock()
            if not self._stopping.is_set() and now - renewed_at >= self._lease / RENEWALS:
                renewed_at = now
                return not self._renew(digest, now)
            return self._stopping.is_set()

        return given_up

    def _renew(self, digest: str, now: datetime) -> bool:
        """Whether it is still ours."""
        try:
            with self._database.write() as session:
                row = self._held(session, digest)
                if row is not None:
                    row.leased_until = now + self._lease
                return row is not None
        except OperationalError as error:
            # It comes back, and then the lease is still ours, or another's and our work is let go.
            log.warning("leaderboards.lease_not_renewed", digest=digest, reason=str(error))
            return True

    def _enter(self, work: _Work, scored: Scored | None, reason: str) -> None:
        with self._database.write() as session:
            row = self._held(session, work.digest)
            if row is None:
                before = self._of_nobody(session, work, scored)
            else:
                before = row.replay
                self._fill(row, work, scored, reason)
            session.flush()
            named = session.scalar(select(ScoreRow.digest).where(ScoreRow.replay == before).limit(1))
        if before is not None and named is None:
            self._stores.of(work.region).delete(before)

    def _fill(self, row: ScoreRow, work: _Work, scored: Scored | None, reason: str) -> None:
        row.state, row.reason = ("done" if scored else "failed"), reason[:REASON_LENGTH]
        row.plan, row.task_digest = self._plan.model_dump_json(), work.task_digest
        row.report = scored.model_dump(mode="json") if scored else None
        row.replay, row.scored_at = (scored.replay if scored else None), self._clock()
        row.leased_by = row.leased_until = None

    def _of_nobody(self, session: Session, work: _Work, scored: Scored | None) -> str | None:
        """The replay that was just made, where the version was withdrawn meanwhile."""
        is_gone = session.get(ScoreRow, work.digest) is None
        return scored.replay if scored and is_gone else None

    def _put_down(self, work: _Work) -> None:
        """Let others have it, unless they do already."""
        with self._database.write() as session:
            row = self._held(session, work.digest)
            if row is not None:
                row.state, row.leased_by, row.leased_until = "waiting", None, None

    def _held(self, session: Session, digest: str) -> ScoreRow | None:
        row = session.get(ScoreRow, digest, with_for_update=True, populate_existing=True)
        is_mine = row is not None and row.state == "working" and row.leased_by == self._me
        return row if is_mine else None


def _reason(error: Exception) -> str:
    """What everybody may hear who sees the version."""
    if isinstance(error, ZunftError) and type(error) is not ZunftError:
        return error.message
    return "An internal error; the hub's log says more."
