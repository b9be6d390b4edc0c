"""Scores the controllers of tasks that have a board: what was written by hand, beside what was learned.

One row a task, worked on as `hub.leaderboards.scorer` works on versions: under a lease, and anew when the
task or the plan has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.clock import Clock
from hub.leaderboards.scorer import LOOK, reason_of
from hub.queue.leased_queue import Held, LeasedQueue
from hub.queue.queue_worker import QueueWorker
from hub.storage.database import Database
from hub.storage.tables.scores import REASON_LENGTH, ControllersRow, ScoreRow
from hub.tasks.sources import board_digest, board_task
from hub.workers.job import ControllersJob, Jobs, ScoredControllers
from skills.messages.leaderboards import BoardPlan, ControllerScore

__all__ = ["Yardsticks", "controllers_of"]


def controllers_of(
    session: Session, task: str, task_digest: str | None, plan: BoardPlan
) -> tuple[ControllerScore, ...]:
    """What the controllers scored by this plan at the task with this digest; nothing until they have."""
    row = session.get(ControllersRow, task)
    if row is None or not row.report or (row.task_digest, row.plan) != (task_digest, plan.model_dump_json()):
        return ()
    return ScoredControllers.model_validate(row.report).controllers


class Yardsticks(QueueWorker[ControllersRow]):
    """Measures the controllers of one task that waits.

    Args:
        database: Where the rows are.
        jobs: Who measures.
        plan: How.
        clock: The time.
        seconds: How long a lease lasts unless it is renewed.
        stopping: Whether this process is going down.
    """

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        plan: BoardPlan,
        clock: Clock,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._plan = plan
        self._clock = clock
        super().__init__(
            LeasedQueue(
                database, ControllersRow, clock, seconds, due=_waiting, begin=_begin, stopping=stopping
            )
        )
        self._looked_at: datetime | None = None

    def _prepare(self) -> None:
        """Have measured what has no score yet, or one of another plan or task."""
        now = self._clock()
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK:
            return
        plan = self._plan.model_dump_json()
        with self._database.read() as session:  # hashes bundles, so nobody waits to write meanwhile
            scored = session.scalars(select(ScoreRow.task).where(ScoreRow.state == "done").distinct()).all()
            present = {task: board_digest(session, task, THE_HUB) for task in scored}
            rows = {row.task: (row.task_digest, row.plan) for row in session.scalars(select(ControllersRow))}
        stale = [task for task, digest in present.items() if rows.get(task) != (digest, plan)]
        with self._database.write() as session:
            for task in stale:
                row = session.get(ControllersRow, task)
                if row is None:
                    session.add(ControllersRow(task=task, state="waiting", reason=""))
                elif row.state in {"done", "failed"}:
                    row.state = "waiting"
        self._looked_at = now

    def _do(self, held: Held[ControllersRow]) -> None:
        with self._database.read() as session:
            digest, source = board_task(session, held.row.task, THE_HUB) or (None, None)
        if digest is None:
            self._enter(held, None, None, "This hub has no such task any more.")
            return
        job = ControllersJob(name=held.row.task, task_digest=digest, plan=self._plan, task=source)
        self._enter(held, digest, self._jobs.run(job, held.given_up), "")

    def _fail(self, held: Held[ControllersRow], error: Exception) -> None:
        with self._database.read() as session:
            digest = board_digest(session, held.row.task, THE_HUB)
        self._enter(held, digest, None, reason_of(error))

    def _enter(
        self, held: Held[ControllersRow], digest: str | None, scored: ScoredControllers | None, reason: str
    ) -> None:
        with held.commit():
            row = held.row
            row.state, row.reason = ("done" if scored else "failed"), reason[:REASON_LENGTH]
            row.plan, row.task_digest = self._plan.model_dump_json(), digest
            row.report = scored.model_dump(mode="json") if scored else None


def _waiting(_: Session) -> Select[ControllersRow]:
    due = select(ControllersRow).where(ControllersRow.state.in_(["waiting", "working"]))
    return due.order_by(ControllersRow.task)


def _begin(row: ControllersRow) -> None:
    row.state = "working"
