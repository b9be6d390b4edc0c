"""Carries withdrawals out, one after the other, step by step; what a step does is `hub.withdrawals.steps`.

What is left to do lies in the withdrawal's row, so that a hub that was killed at any line goes on from there,
or another process does. A lease keeps two from doing the same work; where it ends too early, the second one
to finish finds that the step is done.
"""

from __future__ import annotations

import secrets
import threading
from datetime import timedelta

import structlog
from sqlalchemy import Select, select
from sqlalchemy.exc import OperationalError

from hub.audit import HUB, note
from hub.catalogue import Catalogue
from hub.clock import Clock
from hub.database import Database, announce
from hub.jobs.job import JobAbandonedError, Jobs, WorkersAwayError
from hub.models import SkillRow, WithdrawalRow
from hub.regions import Stores
from hub.store import StoreError
from hub.withdrawals.plan import Plan
from hub.withdrawals.steps import Entry, Steps
from skills.errors import ZunftError
from skills.withdrawals import WithdrawalState, WithdrawalView

__all__ = ["Worker"]

LEASE = timedelta(minutes=2)

log = structlog.get_logger("zunft.withdrawals")


class Worker:
    """`work` does all that is to be done; it is called again and again."""

    def __init__(
        self, database: Database, stores: Stores, jobs: Jobs, catalogue: Catalogue, clock: Clock
    ) -> None:
        self._database = database
        self._clock = clock
        self._me = secrets.token_hex(8)
        self._stopping = threading.Event()
        self._steps = Steps(database, stores, jobs, catalogue.sign, clock, self._stopping.is_set)

    def work(self) -> None:
        """Carry out what was requested.

        Raises:
            StoreError, WorkersAwayError, OperationalError: Not now; nothing is lost.
        """
        while not self._stopping.is_set() and self.step():
            pass

    def stop(self) -> None:
        """End as soon as may be; another process, or a later start, goes on."""
        self._stopping.set()

    def step(self) -> bool:
        """Do the next step of the first withdrawal; whether there was one to do."""
        found = self._take()
        if found is None:
            return False
        withdrawal_id, plan = found
        try:
            self._do(withdrawal_id, plan)
        except (OperationalError, StoreError, WorkersAwayError):
            raise
        except JobAbandonedError:
            return False
        except Exception as error:
            reason = error.message if isinstance(error, ZunftError) else f"Internal error: {error!r}"
            log.exception("withdrawal.failed", withdrawal_id=withdrawal_id)
            self._give_up(withdrawal_id, reason)
        return True

    def _take(self) -> tuple[str, Plan] | None:
        with self._database.read() as session:
            if session.scalar(_oldest()) is None:
                return None
        now = self._clock()
        with self._database.write() as session:
            row = session.scalar(_oldest().with_for_update())
            if row is None:
                return None
            if row.leased_by != self._me and row.leased_until is not None and row.leased_until > now:
                return None
            row.state, row.leased_by, row.leased_until = "working", self._me, now + LEASE
            return row.withdrawal_id, Plan.model_validate(row.plan)

    def _do(self, withdrawal_id: str, plan: Plan) -> None:
        task = plan.tasks[0]
        match task.kind:
            case "take back":
                self._steps.take_back(withdrawal_id, plan)
            case "merge":
                self._steps.merge(withdrawal_id, plan, task)
            case "measure":
                self._steps.measure(withdrawal_id, plan, task)
            case "clear away":
                self._steps.clear_away(withdrawal_id, plan, lambda entry: self._finish(entry, "done", ""))

    def _give_up(self, withdrawal_id: str, reason: str) -> None:
        """What was taken back stays so, and what was not merged again stays away."""
        with self._database.write() as session:
            row = session.get_one(WithdrawalRow, withdrawal_id, with_for_update=True, populate_existing=True)
            plan, report = Plan.model_validate(row.plan), WithdrawalView.model_validate(row.report)
            entry = Entry(session, row, plan, report)
            self._finish(entry, "failed", reason)
            row.report = entry.report.model_dump(mode="json")

    def _finish(self, entry: Entry, state: WithdrawalState, reason: str) -> None:
        """Say what became of it, and let rounds be opened again."""
        now, row, session = self._clock(), entry.row, entry.session
        row.state = state
        row.leased_by = row.leased_until = None
        done = {"state": state, "reason": reason, "finished_at": now}
        entry.report = entry.report.model_copy(update=done)
        held = select(SkillRow).where(SkillRow.held_by == row.withdrawal_id).with_for_update()
        for skill in session.scalars(held).all():
            skill.held_by = None
        details: dict[str, str | int] = {"deltas": entry.report.deltas, "reason": reason}
        note(session, f"withdrawal.{state}", now, by=HUB, subject=row.robot_id, **details)
        announce(session)


def _oldest() -> Select[WithdrawalRow]:
    pending = select(WithdrawalRow).where(WithdrawalRow.state.in_(["requested", "working"]))
    return pending.order_by(WithdrawalRow.requested_at, WithdrawalRow.withdrawal_id).limit(1)
