"""Which robots work in a round and what each of them has brought, for those who may tell these robots apart.

What the round waits for in a sentence is `hub.rounds.states`' business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import and_, select

from hub.access.principal import Viewer
from hub.access.visibility import seen_robots
from hub.storage.paging import Line, Order, Statement
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import AssignmentRow, DeltaRow, RoundRow
from skills.messages.rounds import AtWorkState, RobotAtWork

__all__ = ["AT_WORK_ORDER", "at_work", "listed_at_work"]

AT_WORK_ORDER = Order("robots at work", (RobotRow.robot_id,))
SUCCESS = "success"
"""What robots call the figure in the metrics of a delta."""


def listed_at_work(viewer: Viewer, round_id: str) -> Statement:
    """Robots that the viewer sees and that were given the round or brought something for it, with both."""
    given = select(AssignmentRow.robot_id).where(AssignmentRow.round_id == round_id)
    brought = select(DeltaRow.robot_id).where(DeltaRow.round_id == round_id)
    its_work = and_(AssignmentRow.robot_id == RobotRow.robot_id, AssignmentRow.round_id == round_id)
    its_delta = and_(DeltaRow.robot_id == RobotRow.robot_id, DeltaRow.round_id == round_id)
    return (
        select(RobotRow, AssignmentRow, DeltaRow)
        .outerjoin(AssignmentRow, its_work)
        .outerjoin(DeltaRow, its_delta)
        .where(RobotRow.robot_id.in_(given.union(brought)), seen_robots(viewer))
    )


def at_work(rows: Sequence[Line], entry: RoundRow, lately: datetime) -> Iterable[RobotAtWork]:
    """Views of rows of `listed_at_work`; who was heard of since `lately` is there."""
    for row in rows:
        robot: RobotRow = row[0]
        work: AssignmentRow | None = row[1]
        delta: DeltaRow | None = row[2]
        found = RobotAtWork(
            robot_id=robot.robot_id,
            name=robot.name,
            embodiment=robot.embodiment,
            organisation=robot.organisation,
            state=_state(robot, delta, entry, lately),
            since=work.assigned_at if work else None,
            deadline=entry.deadline,
        )
        yield found if delta is None else found.model_copy(update=_brought(delta))


def _brought(delta: DeltaRow) -> dict[str, object]:
    return {
        "brought_at": delta.received_at,
        "samples": delta.samples,
        "success": delta.metrics.get(SUCCESS),
        "norm": delta.norm,
        "late": delta.staleness,
    }


def _state(robot: RobotRow, delta: DeltaRow | None, entry: RoundRow, lately: datetime) -> AtWorkState:
    if delta is not None:
        return "brought"
    if entry.state != "open":
        return "left_out"
    return "working" if (robot.last_seen_at or robot.enrolled_at) >= lately else "silent"
