"""Has published tasks examined, one after the other, and lists or refuses them.

What is left to do is in the rows: a hub that was killed in the middle of a check goes on, or another process
does once the lease is over; a late result is let go.
The examination itself is a job, see `envs.examination`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from envs.examination import CheckLimits
from hub.clock import Clock
from hub.queue.leased_queue import Held, LeasedQueue
from hub.queue.queue_worker import QueueWorker
from hub.storage.database import Database
from hub.storage.record import HUB, note, record, take_turn
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from hub.storage.word_search import put_words
from hub.tuf.contents import mark
from hub.workers.job import Checked, CheckJob, Jobs, TaskSource
from skills.errors import ZunftError
from skills.messages.tasks import FindingView, TaskState

__all__ = ["Checker"]

INTERNAL = "An internal error; the hub's log says more."

log = structlog.get_logger("zunft.tasks")


class Checker(QueueWorker[TaskVersionRow]):
    """Checks the version that has waited longest.

    Args:
        database: Where the versions are.
        jobs: Who examines.
        clock: The time.
        limits: What an examination may use.
        seconds: How long a lease lasts unless it is renewed.
        stopping: Whether this process is going down.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        clock: Clock,
        limits: CheckLimits,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._clock = clock
        self.limits = limits
        super().__init__(
            LeasedQueue(database, TaskVersionRow, clock, seconds, due=_waiting, stopping=stopping)
        )

    def _do(self, held: Held[TaskVersionRow]) -> None:
        with self._database.read() as session:
            owner = select(OrganisationRow.region).join(TaskRow, TaskRow.organisation == OrganisationRow.name)
            region = session.scalars(owner.where(TaskRow.name == held.row.task)).one()
        source = TaskSource(digest=held.row.digest, region=region)
        self._enter(held, self._jobs.run(CheckJob(task=source, limits=self.limits), held.given_up))

    def _fail(self, held: Held[TaskVersionRow], error: Exception) -> None:
        """It cannot be checked, and says why."""
        known = error if isinstance(error, ZunftError) else ZunftError(INTERNAL)
        finding = FindingView(check="runs", passed=False, text=known.message, remedy=known.remedy)
        self._enter(held, Checked(findings=(finding,)))

    def _enter(self, held: Held[TaskVersionRow], checked: Checked) -> None:
        now = self._clock()
        with held.commit() as session:
            take_turn(session)
            row = held.row
            state: TaskState = "listed" if checked.passed else "refused"
            row.state, row.checked_at = state, now
            row.checked = checked.model_dump(mode="json")
            task = session.get_one(TaskRow, row.task)
            task.updated_at = now
            if checked.passed:
                put_words(session, "task", row.task, names=row.task, rest=f"{row.title} {row.summary}")
            mark(session, task.organisation)
            what: dict[str, str | int] = {"version": row.number, "digest": row.digest}
            note(session, f"task.{state}", now, by=HUB, subject=row.task, **what)
            told: dict[str, Any] = {"task": row.task, **what}
            record(session, f"task.{state}", now, organisation=task.organisation, **told)
        log.info("task.checked", digest=held.row.digest, state=state)


def _waiting(_: Session) -> Select[TaskVersionRow]:
    waiting = select(TaskVersionRow).where(TaskVersionRow.state == "checking")
    return waiting.order_by(TaskVersionRow.created_at, TaskVersionRow.digest)
