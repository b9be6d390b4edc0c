"""Carries withdrawals out, step by step, the oldest first; what a step does is `hub.withdrawals.steps`.

What is left to do lies in the withdrawal's row, so that a hub that was killed at any line goes on from there,
or another process does. Each step is done under the withdrawal's lease. One that cannot go on now, or that
another process works on, holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from hub.attestations.keeping import Attestations
from hub.catalogue.catalogue import Catalogue
from hub.clock import Clock
from hub.queue.leased_queue import Held, LeasedQueue
from hub.queue.queue_worker import QueueWorker
from hub.storage.database import Database, announce
from hub.storage.record import HUB, note
from hub.storage.regions import Stores
from hub.storage.tables.skills import SkillRow
from hub.storage.tables.withdrawals import WithdrawalRow
from hub.withdrawals.plan import Plan
from hub.withdrawals.steps import WithdrawalEntry, WithdrawalSteps
from hub.workers.job import Jobs
from skills.errors import ZunftError
from skills.messages.withdrawals import WithdrawalState, WithdrawalView

__all__ = ["WithdrawalWorker"]


class WithdrawalWorker(QueueWorker[WithdrawalRow]):
    """Does the next step of the first withdrawal that can go on."""

    def __init__(
        self,
        database: Database,
        stores: Stores,
        jobs: Jobs,
        catalogue: Catalogue,
        attestations: Attestations,
        clock: Clock,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._clock = clock
        self._steps = WithdrawalSteps(database, stores, jobs, catalogue.sign, attestations, clock)
        super().__init__(
            LeasedQueue(
                database, WithdrawalRow, clock, seconds, due=_pending, begin=_begin, stopping=stopping
            )
        )

    def _do(self, held: Held[WithdrawalRow]) -> None:
        plan = Plan.model_validate(held.row.plan)
        task = plan.tasks[0]
        match task.kind:
            case "take back":
                self._steps.take_back(held, plan)
            case "merge":
                self._steps.merge(held, plan, task)
            case "measure":
                self._steps.measure(held, plan, task)
            case "clear away":
                self._steps.clear_away(held, plan, lambda entry: self._finish(entry, "done", ""))

    def _fail(self, held: Held[WithdrawalRow], error: Exception) -> None:
        """What was taken back stays so, and what was not merged again stays away."""
        reason = error.message if isinstance(error, ZunftError) else f"Internal error: {error!r}"
        with held.commit() as session:
            row = held.row
            plan, report = Plan.model_validate(row.plan), WithdrawalView.model_validate(row.report)
            entry = WithdrawalEntry(session, row, plan, report)
            self._finish(entry, "failed", reason)
            row.report = entry.report.model_dump(mode="json")

    def _finish(self, entry: WithdrawalEntry, state: WithdrawalState, reason: str) -> None:
        """Say what became of it, and let rounds be opened again."""
        now, row, session = self._clock(), entry.row, entry.session
        row.state = state
        done = {"state": state, "reason": reason, "finished_at": now}
        entry.report = entry.report.model_copy(update=done)
        held = select(SkillRow).where(SkillRow.held_by == row.withdrawal_id).with_for_update()
        for skill in session.scalars(held).all():
            skill.held_by = None
        details: dict[str, str | int] = {"deltas": entry.report.deltas, "reason": reason}
        note(session, f"withdrawal.{state}", now, by=HUB, subject=row.robot_id, **details)
        announce(session)


def _pending(_: Session) -> Select[WithdrawalRow]:
    pending = select(WithdrawalRow).where(WithdrawalRow.state.in_(["requested", "working"]))
    return pending.order_by(WithdrawalRow.requested_at, WithdrawalRow.withdrawal_id)


def _begin(row: WithdrawalRow) -> None:
    row.state = "working"
