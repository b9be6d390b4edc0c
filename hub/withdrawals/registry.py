"""Withdrawals as operators ask for them and look at them; carrying them out is `hub.withdrawals.worker`.

A robot is its organisation's: its operators may withdraw it, and admins any. From the request on its key is
refused, and no round is opened for skills that it worked on until that is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.access.visibility import may_change, of_organisation, seen_robots, seen_skills
from hub.attestations.keeping import Attestations
from hub.clock import Clock
from hub.storage.database import Database, announce
from hub.storage.paging import Line, Order, page_of
from hub.storage.record import note, record
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import DeltaRow
from hub.storage.tables.skills import SkillRow
from hub.storage.tables.withdrawals import WithdrawalRow
from hub.withdrawals.plan import FROM_THE_START, Plan, Remaining
from hub.withdrawals.taking_back import skills_given_to, take_back
from skills.errors import ConflictError, NotFoundError
from skills.messages.halls import Recall, Recalled
from skills.messages.lists import Page, WithdrawalQuery
from skills.messages.withdrawals import WithdrawalRequest, WithdrawalState, WithdrawalView

__all__ = ["Withdrawals"]

ONLY_PURGE = (Remaining(kind="clear away"),)
ORDER = Order("withdrawals", (WithdrawalRow.requested_at, WithdrawalRow.withdrawal_id), descending=True)
NAMELESS = "withdrawn"


@dataclass(frozen=True)
class Withdrawals:
    """Each call is its own transaction."""

    database: Database
    attestations: Attestations
    clock: Clock

    def withdraw(self, robot_id: str, request: WithdrawalRequest, by: Principal) -> WithdrawalView:
        """Withdraw a robot for good, or only say what that would do. Asked again, it is the same withdrawal.

        Raises:
            NotFoundError: No such robot, or none that one may withdraw.
        """
        if request.dry_run:
            return self._try(robot_id, request, by)
        with self.database.write() as session:
            robot = _find_robot(session, robot_id, by)
            known = session.scalar(select(WithdrawalRow).where(WithdrawalRow.robot_id == robot_id))
            row = self._again(known, request) if known else self._begin(session, robot, request, by)
            session.flush()
            announce(session)
            return _view(session, row, robot, by)

    def recall(self, request: Recall, by: Principal) -> Recalled:
        """Take back a hall's deltas of some rounds, as if another robot that is withdrawn had brought them.

        What was merged from them is made again without; the hall itself stays. Asked again, nothing is left.

        Raises:
            ConflictError: It is no hall.
        """
        now = self.clock()
        with self.database.write() as session:
            hall = session.get_one(RobotRow, by.name, with_for_update=True)
            if hall.hall_robots is None:
                raise ConflictError(
                    f"{by.name} is a robot, and only a hall takes back what it brought for some rounds.",
                    remedy="Have the robot withdrawn: zunft robot forget.",
                    code="no_hall",
                )
            theirs = DeltaRow.robot_id == by.name, DeltaRow.round_id.in_(request.rounds)
            deltas = session.scalars(select(DeltaRow).where(*theirs)).all()
            if not deltas:
                return Recalled(deltas=0)
            gone = RobotRow(
                robot_id=f"r-{secrets.token_hex(6)}",
                name=hall.name,
                organisation=hall.organisation,
                embodiment=hall.embodiment,
                public_key=f"recalled:{secrets.token_hex(16)}",
                enrolled_at=now,
                hall_robots=hall.hall_robots,
            )
            session.add(gone)
            session.flush()
            for each in deltas:
                each.robot_id = gone.robot_id
            note(session, "hall.recalled", now, by=by.actor, subject=gone.robot_id, deltas=len(deltas))
            row = self._begin(session, gone, WithdrawalRequest(), by)
            session.flush()
            announce(session)
            return Recalled(deltas=len(deltas), withdrawal_id=row.withdrawal_id)

    def withdrawals(self, by: Principal, query: WithdrawalQuery) -> Page[WithdrawalView]:
        """Those that one may see, newest first."""
        joined = select(WithdrawalRow, RobotRow).join(RobotRow, RobotRow.robot_id == WithdrawalRow.robot_id)
        found = joined.where(of_organisation(by, RobotRow.organisation))
        if query.state:
            found = found.where(WithdrawalRow.state == query.state)
        if query.robot:
            found = found.where(WithdrawalRow.robot_id == query.robot)
        with self.database.read() as session:
            return page_of(session, found, ORDER, query, lambda rows: _views(session, rows, by))

    def withdrawal(self, withdrawal_id: str, by: Principal) -> WithdrawalView:
        """One of them.

        Raises:
            NotFoundError: No such withdrawal, or none that one may see.
        """
        with self.database.read() as session:
            row = session.get(WithdrawalRow, withdrawal_id)
            robot = session.get_one(RobotRow, row.robot_id) if row is not None else None
            if row is None or robot is None or not may_change(by, robot.organisation):
                raise NotFoundError(f"there is no withdrawal {withdrawal_id[:64]!r}.", where="withdrawal_id")
            return _view(session, row, robot, by)

    def _begin(
        self, session: Session, robot: RobotRow, request: WithdrawalRequest, by: Principal
    ) -> WithdrawalRow:
        now = self.clock()
        row = WithdrawalRow(
            withdrawal_id=f"x-{secrets.token_hex(6)}",
            robot_id=robot.robot_id,
            state="requested",
            requested_at=now,
            plan=FROM_THE_START.model_copy(update={"purge": request.purge}).model_dump(mode="json"),
            report=_report(robot, "requested", request.purge, now).model_dump(mode="json"),
        )
        session.add(row)
        robot.closed_at, robot.name, robot.abilities = now, NAMELESS, None
        held = select(SkillRow).where(SkillRow.name.in_(skills_given_to(session, robot.robot_id)))
        for skill in session.scalars(held.order_by(SkillRow.name).with_for_update()).all():
            skill.held_by = row.withdrawal_id
        session.flush()
        organisation, robot_id = robot.organisation, robot.robot_id
        record(session, "robot.withdrawn", now, organisation=organisation, robot_id=robot_id)
        note(session, "robot.withdrawn", now, by=by.actor, subject=robot_id, purge=int(request.purge))
        return row

    def _again(self, row: WithdrawalRow, request: WithdrawalRequest) -> WithdrawalRow:
        """One that failed begins anew; files may be purged later, too."""
        plan = Plan.model_validate(row.plan)
        purge = plan.purge or request.purge
        if row.state == "failed":
            row.state, plan = "requested", FROM_THE_START
            row.report = {**row.report, "reason": "", "finished_at": None}
        elif row.state == "done" and not plan.purge and purge:
            row.state, plan = "requested", plan.model_copy(update={"tasks": ONLY_PURGE})
        row.plan = plan.model_copy(update={"purge": purge}).model_dump(mode="json")
        return row

    def _try(self, robot_id: str, request: WithdrawalRequest, by: Principal) -> WithdrawalView:
        """Take everything back, look at it, and undo it."""
        now = self.clock()
        with self.database.trial() as session:
            report = _report(_find_robot(session, robot_id, by), "planned", request.purge, now)
            found = take_back(session, self.attestations, "", report, request.purge, now)[1]
        with self.database.read() as session:
            return _without_unseen(session, [found], by)[0]


def _find_robot(session: Session, robot_id: str, by: Principal) -> RobotRow:
    theirs = select(RobotRow).where(RobotRow.robot_id == robot_id, seen_robots(by))
    row = session.scalar(theirs.with_for_update())
    if row is None:
        raise NotFoundError(
            f"there is no robot {robot_id[:64]!r}.", where="robot_id", remedy="See zunft robot list."
        )
    return row


def _report(robot: RobotRow, state: WithdrawalState, purge: bool, now: datetime) -> WithdrawalView:
    return WithdrawalView(
        robot_id=robot.robot_id, organisation=robot.organisation, state=state, purge=purge, requested_at=now
    )


def _view(session: Session, row: WithdrawalRow, robot: RobotRow, by: Principal) -> WithdrawalView:
    return _without_unseen(session, [_whole(row, robot)], by)[0]


def _views(session: Session, rows: Iterable[Line], by: Principal) -> list[WithdrawalView]:
    return _without_unseen(session, [_whole(row[0], row[1]) for row in rows], by)


def _whole(row: WithdrawalRow, robot: RobotRow) -> WithdrawalView:
    known = {
        "withdrawal_id": row.withdrawal_id,
        "organisation": robot.organisation,
        "state": row.state,
        "purge": Plan.model_validate(row.plan).purge,
    }
    return WithdrawalView.model_validate({**row.report, **known})


def _without_unseen(
    session: Session, reports: Sequence[WithdrawalView], by: Principal
) -> list[WithdrawalView]:
    """Reports without skills that were hidden from whoever looks since the robots worked on them."""
    named = {each.skill for report in reports for each in report.skills}
    seen = set(session.scalars(seen_skills(by).where(SkillRow.name.in_(named))))
    return [
        report.model_copy(update={"skills": tuple(each for each in report.skills if each.skill in seen)})
        for report in reports
    ]
