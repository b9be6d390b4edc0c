"""The book of machines: what each robot told of its own, counted once, and what is usual for its kind.

What robots say is held to limits by `skills.messages.health`, and believed of themselves alone: an alarm is a
claim, for the robot's operators.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import seen_robots
from hub.catalogue.catalogue import find_skill
from hub.clock import Clock
from hub.health.usual import merge_usual
from hub.storage.database import Database
from hub.storage.record import record, take_turn
from hub.storage.tables.health import HealthRow
from hub.storage.tables.robots import RobotRow
from skills.errors import NotFoundError
from skills.health import Sums
from skills.messages.health import HealthAnswer, HealthModel, HealthReport, HealthState, RobotHealth

__all__ = ["HealthBook"]


@dataclass(frozen=True)
class HealthBook:
    """Each call is its own transaction. `least` robots must have told their part before anybody hears it."""

    database: Database
    clock: Clock
    least: int

    def hear(self, said: HealthReport, by: Principal) -> HealthAnswer:
        """Count what a robot tells, as far as it is new, and answer what is usual for its kind.

        Raises:
            NotFoundError: It sees no such skill, or was withdrawn.
        """
        with self.database.read() as session:
            find_skill(session, said.skill, by)
            row = session.get(HealthRow, (by.name, said.skill))
            known = _is_known(row, said)
        if not known:
            with self.database.write() as session:
                self._keep(session, said, by)
        with self.database.read() as session:
            robot = session.get_one(RobotRow, by.name)
            row = session.get(HealthRow, (by.name, said.skill))
            model = self._usual(session, said.skill, robot.embodiment, said.figures)
        counted = row.counted if row is not None and _figures(row) == said.figures else 0
        return HealthAnswer(counted=counted, model=model, digest=model.digest if model else None)

    def of_robot(self, robot_id: str, viewer: Viewer) -> list[RobotHealth]:
        """How a robot finds itself, skill by skill; of one that does not say, nothing.

        Raises:
            NotFoundError: No such robot.
        """
        with self.database.read() as session:
            seen = select(RobotRow.robot_id).where(RobotRow.robot_id == robot_id, seen_robots(viewer))
            if session.scalar(seen) is None:
                raise NotFoundError(f"there is no robot {robot_id[:64]!r}.", where="robot_id")
            rows = select(HealthRow).where(HealthRow.robot_id == robot_id).order_by(HealthRow.skill)
            return [
                RobotHealth(
                    skill=row.skill,
                    heard_at=row.heard_at,
                    counted=row.counted,
                    state=HealthState.model_validate(row.state),
                )
                for row in session.scalars(rows)
                if row.state is not None
            ]

    def _keep(self, session: Session, said: HealthReport, by: Principal) -> None:
        take_turn(session)
        robot = session.get(RobotRow, by.name, with_for_update=True)
        if robot is None or robot.closed_at is not None:
            raise NotFoundError("this robot was withdrawn.", where="robot_id")
        row, now = session.get(HealthRow, (by.name, said.skill)), self.clock()
        before = row.worn_since if row else None
        if row is None:
            row = HealthRow(robot_id=by.name, skill=said.skill, counted=0, worn_since=None)
            session.add(row)
        if row.counted == 0 or _figures(row) != said.figures:  # a machine with other joints begins anew
            row.figures, row.counted = {"names": list(said.figures)}, 0
            row.sums = _written(Sums.none(len(said.figures)))
        row.embodiment, row.heard_at = robot.embodiment, now
        if said.sums is not None and said.sums.after >= row.counted:
            row.sums = _written(_sums(row).merged(said.sums.sums))
            row.counted = said.sums.upto
        if said.state is not None:
            row.state, row.worn_since = said.state.model_dump(mode="json"), said.state.worn_since
            if (before is None) != (row.worn_since is None):
                _tell(session, said.state, row, by, now)

    def _usual(
        self, session: Session, skill: str, embodiment: str, figures: tuple[str, ...]
    ) -> HealthModel | None:
        enrolled = select(RobotRow.robot_id).where(RobotRow.closed_at.is_(None))
        rows = (
            select(HealthRow)
            .where(HealthRow.skill == skill, HealthRow.embodiment == embodiment)
            .where(HealthRow.robot_id.in_(enrolled))
            .order_by(HealthRow.robot_id)
        )
        told = [_sums(row) for row in session.scalars(rows) if _figures(row) == figures]
        merged = merge_usual(told, self.least)
        return None if merged is None else HealthModel.of(*merged, skill, embodiment, figures)


def _tell(session: Session, state: HealthState, row: HealthRow, by: Principal, now: datetime) -> None:
    """Its operators hear that a machine is worn, and that somebody looked after it."""
    kind = "robot.renewed" if state.worn_since is None else "robot.worn"
    record(
        session,
        kind,
        now,
        organisation=by.organisation,
        robot_id=by.name,
        embodiment=row.embodiment,
        about=row.skill,
        figure=state.figure,
        height=state.height,
        limit=state.limit,
    )


def _is_known(row: HealthRow | None, said: HealthReport) -> bool:
    """Whether nothing is to be written: a robot that only asks leaves no trace."""
    if said.sums is None and said.state is None:
        return True
    if row is None or _figures(row) != said.figures:
        return False
    is_new = said.sums is not None and said.sums.after >= row.counted
    return not is_new and (said.state is None or row.state == said.state.model_dump(mode="json"))


def _figures(row: HealthRow) -> tuple[str, ...]:
    return tuple(row.figures["names"])


def _sums(row: HealthRow) -> Sums:
    return Sums(row.sums["count"], np.array(row.sums["mean"]), np.array(row.sums["scatter"]))


def _written(sums: Sums) -> dict[str, object]:
    return {"count": sums.count, "mean": sums.mean.tolist(), "scatter": sums.scatter.tolist()}
