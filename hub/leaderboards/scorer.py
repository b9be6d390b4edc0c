"""Scores what became stable, one version after the other, the newest first; the measuring is a job.

What is left to do are rows, so that a hub that was killed at any line goes on from there, or another process
does, under a lease; who lost that lets its result go. A score of another plan, or of a task that has changed
since, is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from hub.access.principal import THE_HUB
from hub.clock import Clock
from hub.queue.leased_queue import Held, LeasedQueue
from hub.queue.leases import LeaseLostError
from hub.queue.queue_worker import QueueWorker
from hub.storage.database import Database
from hub.storage.regions import Stores, region_of
from hub.storage.tables.scores import REASON_LENGTH, ScoreRow
from hub.storage.tables.skills import VersionRow
from hub.tasks.sources import board_digest, board_task
from hub.workers.job import Jobs, Scored, ScoreJob
from skills.errors import ZunftError
from skills.messages.leaderboards import BoardPlan

__all__ = ["LOOK", "Scorer", "reason_of"]

LOOK = timedelta(seconds=60)
"""How often it is looked whether tasks have changed."""


class Scorer(QueueWorker[ScoreRow]):
    """Measures the newest version that waits.

    Args:
        database: Where the rows are.
        stores: Where replays are that nobody names any longer.
        jobs: Who measures.
        plan: How.
        clock: The time.
        seconds: How long a lease lasts unless it is renewed.
        stopping: Whether this process is going down.
    """

    def __init__(
        self,
        database: Database,
        stores: Stores,
        jobs: Jobs,
        plan: BoardPlan,
        clock: Clock,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._stores = stores
        self._jobs = jobs
        self._plan = plan
        self._clock = clock
        super().__init__(
            LeasedQueue(database, ScoreRow, clock, seconds, due=_waiting, begin=_begin, stopping=stopping)
        )
        self._looked_at: datetime | None = None

    def _prepare(self) -> None:
        """Have measured again what was measured by another plan or at another task."""
        now = self._clock()
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK:
            return
        over = ScoreRow.state.in_(["done", "failed"])
        with self._database.read() as session:  # hashes bundles, so nobody waits to write meanwhile
            known = session.execute(select(ScoreRow.task, ScoreRow.task_digest).where(over).distinct()).all()
            present = {task: board_digest(session, task, THE_HUB) for task, _ in known}
        changed = [(task, digest) for task, digest in known if digest != present[task]]
        with self._database.write() as session:
            again = update(ScoreRow).where(over).values(state="waiting", wanted_at=now)
            session.execute(again.where(ScoreRow.plan != self._plan.model_dump_json()))
            for task, digest in changed:
                same = ScoreRow.task_digest.is_not_distinct_from(digest)
                session.execute(again.where(ScoreRow.task == task, same))
        self._looked_at = now

    def _do(self, held: Held[ScoreRow]) -> None:
        row = held.row
        with self._database.read() as session:  # hashes a bundle, so nobody waits to write meanwhile
            task_digest, source = board_task(session, row.task, THE_HUB) or (None, None)
            region = region_of(session, row.skill)
        if task_digest is None:
            self._enter(held, task_digest, None, f"This hub has no task {row.task}.")
            return
        job = ScoreJob(skill=row.digest, task_digest=task_digest, plan=self._plan, region=region, task=source)
        scored = self._jobs.run(job, held.given_up)
        try:
            replaced = self._enter(held, task_digest, scored, "")
        except LeaseLostError:
            with self._database.read() as session:
                is_withdrawn = session.get(ScoreRow, row.digest) is None
            self._discard(region, scored.replay if is_withdrawn else None)
            raise
        self._discard(region, replaced)

    def _fail(self, held: Held[ScoreRow], error: Exception) -> None:
        with self._database.read() as session:
            digest = board_digest(session, held.row.task, THE_HUB)
            region = region_of(session, held.row.skill)
        self._discard(region, self._enter(held, digest, None, reason_of(error)))

    def _enter(
        self, held: Held[ScoreRow], task_digest: str | None, scored: Scored | None, reason: str
    ) -> str | None:
        """What was found; returns the replay of before."""
        with held.commit():
            row, before = held.row, held.row.replay
            row.state, row.reason = ("done" if scored else "failed"), reason[:REASON_LENGTH]
            row.plan, row.task_digest = self._plan.model_dump_json(), task_digest
            row.report = scored.model_dump(mode="json") if scored else None
            row.replay, row.scored_at = (scored.replay if scored else None), self._clock()
        return before

    def _discard(self, region: str, replay: str | None) -> None:
        """Delete a replay that no row names."""
        if replay is None:
            return
        with self._database.read() as session:
            if session.scalar(select(ScoreRow.digest).where(ScoreRow.replay == replay).limit(1)) is not None:
                return
        self._stores.of(region).delete(replay)


def _waiting(_: Session) -> Select[ScoreRow]:
    offered = select(ScoreRow).join(VersionRow, VersionRow.digest == ScoreRow.digest)
    due = offered.where(ScoreRow.state.in_(["waiting", "working"]), VersionRow.withdrawn_at.is_(None))
    return due.order_by(ScoreRow.wanted_at.desc(), ScoreRow.number.desc(), ScoreRow.digest)


def _begin(row: ScoreRow) -> None:
    row.state = "working"


def reason_of(error: Exception) -> str:
    """What everybody may hear who sees the version."""
    if isinstance(error, ZunftError) and type(error) is not ZunftError:
        return error.message
    return "An internal error; the hub's log says more."
