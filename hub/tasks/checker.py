"""Has published tasks examined, one after the other, and lists or refuses them.

What is left to do is in the rows: a hub that was killed in the middle of a check goes on, or another process
does once the lease is over. Of two that check one version, the first to finish decides; both find the same.
The examination itself is a job, see `envs.examination`.
"""

from __future__ import annotations

import secrets
import threading
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, or_, select

from envs.examination import CheckLimits
from hub.audit import HUB, note
from hub.clock import Clock
from hub.database import Database
from hub.events import record, take_turn
from hub.jobs.job import (
    Checked,
    CheckJob,
    JobAbandonedError,
    Jobs,
    TaskSource,
    WorkersAwayError,
)
from hub.models import OrganisationRow
from hub.store import StoreError
from hub.tasks.models import TaskRow, TaskVersionRow
from skills.errors import ZunftError
from skills.tasks import FindingView, TaskState

__all__ = ["Checker"]

RENEWALS = 3

log = structlog.get_logger("zunft.tasks")


class Checker:
    """`work` checks all that waits; it is called again and again.

    Args:
        database: Where the versions are.
        jobs: Who examines.
        clock: The time.
        limits: What an examination may use.
        seconds: How long a lease lasts unless it is renewed.
    """

    def __init__(
        self, database: Database, jobs: Jobs, clock: Clock, limits: CheckLimits, seconds: float
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self.limits = limits
        self._lease = timedelta(seconds=seconds)
        self._me = secrets.token_hex(8)
        self._stopping = threading.Event()

    def work(self) -> None:
        """Check what waits.

        Raises:
            StoreError, WorkersAwayError, OperationalError: Not now; nothing is lost.
        """
        while not self._stopping.is_set() and self.step():
            pass

    def stop(self) -> None:
        """End as soon as may be; another process, or a later start, goes on."""
        self._stopping.set()

    def step(self) -> bool:
        """Check the first version that waits; whether there was one."""
        taken = self._take()
        if taken is None:
            return False
        digest, source = taken
        try:
            checked = self._jobs.check(CheckJob(task=source, limits=self.limits), _Kept(self, digest))
        except (StoreError, WorkersAwayError, JobAbandonedError):
            self._put_down(digest)
            if self._stopping.is_set():
                return False
            raise
        except ZunftError as error:
            log.exception("task.not_checked", digest=digest)
            finding = FindingView(check="runs", passed=False, text=error.message, remedy=error.remedy)
            checked = Checked(findings=(finding,))
        self._enter(digest, checked)
        return True

    def given_up(self) -> bool:
        """Whether this process goes down."""
        return self._stopping.is_set()

    def renew(self, digest: str) -> None:
        """Keep others off for longer."""
        with self._database.write() as session:
            row = session.scalar(_version(digest).with_for_update())
            if row is not None and row.leased_by == self._me:
                row.leased_until = self._clock() + self._lease

    def renewal_due(self, last: datetime) -> bool:
        """Whether a lease that was renewed then should be again."""
        return self._clock() >= last + self._lease / RENEWALS

    def now(self) -> datetime:
        """The time."""
        return self._clock()

    def _take(self) -> tuple[str, TaskSource] | None:
        now = self._clock()
        free = or_(
            TaskVersionRow.leased_until.is_(None),
            TaskVersionRow.leased_until <= now,
            TaskVersionRow.leased_until > now + self._lease,  # from before the clock was set back
        )
        waiting = select(TaskVersionRow).where(TaskVersionRow.state == "checking", free)
        first = waiting.order_by(TaskVersionRow.created_at, TaskVersionRow.digest).limit(1)
        with self._database.read() as session:
            if session.scalar(first) is None:
                return None
        with self._database.write() as session:
            row = session.scalar(first.with_for_update(skip_locked=True))
            if row is None:
                return None
            row.leased_by, row.leased_until = self._me, now + self._lease
            owner = select(OrganisationRow.region).join(TaskRow, TaskRow.organisation == OrganisationRow.name)
            region = session.scalars(owner.where(TaskRow.name == row.task)).one()
            return row.digest, TaskSource(digest=row.digest, region=region)

    def _put_down(self, digest: str) -> None:
        with self._database.write() as session:
            row = session.scalar(_version(digest).with_for_update())
            if row is not None and row.leased_by == self._me:
                row.leased_by = row.leased_until = None

    def _enter(self, digest: str, checked: Checked) -> None:
        now = self._clock()
        with self._database.write() as session:
            take_turn(session)
            row = session.scalar(_version(digest).with_for_update())
            if row is None or row.state != "checking":
                return
            state: TaskState = "listed" if checked.passed else "refused"
            row.state, row.checked_at = state, now
            row.checked = checked.model_dump(mode="json")
            row.leased_by = row.leased_until = None
            task = session.get_one(TaskRow, row.task)
            task.updated_at = now
            what: dict[str, str | int] = {"version": row.number, "digest": row.digest}
            note(session, f"task.{state}", now, by=HUB, subject=row.task, **what)
            told: dict[str, Any] = {"task": row.task, **what}
            record(session, f"task.{state}", now, organisation=task.organisation, **told)
        log.info("task.checked", digest=digest, state=state)


class _Kept:
    """Asked a few times a second whether the work is for nothing; renews the lease meanwhile."""

    def __init__(self, checker: Checker, digest: str) -> None:
        self._checker = checker
        self._digest = digest
        self._renewed = checker.now()

    def __call__(self) -> bool:
        if self._checker.renewal_due(self._renewed):
            self._renewed = self._checker.now()
            self._checker.renew(self._digest)
        return self._checker.given_up()


def _version(digest: str) -> Select[TaskVersionRow]:
    return select(TaskVersionRow).where(TaskVersionRow.digest == digest)
