"""The fleet as its operators see it: which version each robot is to use, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import String, and_, cast, delete, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import seen_robots
from hub.catalogue.catalogue import find_skill
from hub.catalogue.channels import stable_of
from hub.rollouts.journal import under_way
from hub.rollouts.membership import asking, notes_of, wanted_by
from hub.storage.database import Database
from hub.storage.paging import Line, Order, containing, page_of
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import ReportRow, RobotTagRow
from skills.errors import NotFoundError
from skills.messages.lists import FleetQuery, Page
from skills.messages.reports import FleetRobot, Report, TagsChange
from skills.messages.robots import Refusal

__all__ = ["FLEET_ORDER", "FleetBook"]

FLEET_ORDER = Order("fleet", (RobotRow.enrolled_at, RobotRow.robot_id))


@dataclass(frozen=True)
class FleetBook:
    """Each call is its own transaction."""

    database: Database

    def robots(self, viewer: Viewer, query: FleetQuery) -> Page[FleetRobot]:
        """Robots that ask for a skill and that the viewer sees, in the order in which they joined.

        Raises:
            NotFoundError: No such skill.
        """
        with self.database.read() as session:
            find_skill(session, query.skill, viewer)
            its = and_(ReportRow.robot_id == RobotRow.robot_id, ReportRow.skill == query.skill)
            found = asking(query.skill).add_columns(ReportRow).outerjoin(ReportRow, its)
            found = found.where(seen_robots(viewer))
            if query.text:
                found = found.where(containing(query.text, RobotRow.robot_id, RobotRow.name))
            if query.organisation:
                found = found.where(RobotRow.organisation == query.organisation)
            if query.embodiment:
                found = found.where(RobotRow.embodiment == query.embodiment)
            if query.tag:
                tagged = select(RobotTagRow.robot_id).where(RobotTagRow.tag == query.tag)
                found = found.where(RobotRow.robot_id.in_(tagged))
            if query.version is not None:
                found = found.where(ReportRow.version == query.version)
            if query.lost is not None:
                found = found.where(RobotRow.lost_at.is_not(None) == query.lost)
            if query.refused:
                about = cast(RobotRow.refusal, String).contains(f'"{query.skill}"', autoescape=True)
                found = found.where(RobotRow.refusal.is_not(None), about)
            return page_of(
                session, found, FLEET_ORDER, query, lambda rows: _views(session, query.skill, rows)
            )

    def tag(self, robot_id: str, said: TagsChange, *, by: Principal) -> tuple[str, ...]:
        """Call a robot by these, and nothing else any more; roll-outs that have begun keep their rings.

        Raises:
            NotFoundError: No such robot.
        """
        tags = tuple(sorted(set(said.tags)))
        with self.database.write() as session:
            seen = select(RobotRow.robot_id).where(RobotRow.robot_id == robot_id, seen_robots(by))
            if session.scalar(seen.where(RobotRow.closed_at.is_(None))) is None:
                raise NotFoundError(f"there is no robot {robot_id[:64]!r}.", where="robot_id")
            session.execute(delete(RobotTagRow).where(RobotTagRow.robot_id == robot_id))
            session.add_all(RobotTagRow(robot_id=robot_id, tag=tag) for tag in tags)
        return tags


def _views(session: Session, skill: str, rows: Sequence[Line]) -> Iterator[FleetRobot]:
    rollout, stable = under_way(session, skill), stable_of(session, skill)
    notes = notes_of(rollout) if rollout else []
    tags: dict[str, list[str]] = {row[0].robot_id: [] for row in rows}
    theirs = select(RobotTagRow).where(RobotTagRow.robot_id.in_(tags)).order_by(RobotTagRow.tag)
    for each in session.scalars(theirs):
        tags[each.robot_id].append(each.tag)
    for row in rows:
        robot, report = row[0], row[1]
        wanted = wanted_by(rollout, notes, robot) if rollout else stable.number if stable else None
        yield _view(robot, report, wanted, tags[robot.robot_id])


def _view(robot: RobotRow, report: ReportRow | None, wanted: int | None, tags: Sequence[str]) -> FleetRobot:
    return FleetRobot(
        robot_id=robot.robot_id,
        name=robot.name,
        organisation=robot.organisation,
        embodiment=robot.embodiment,
        tags=tuple(tags),
        wanted=wanted,
        last_seen_at=robot.last_seen_at,
        heard_at=report.heard_at if report else None,
        report=Report.model_validate(report.said) if report else None,
        lost_at=robot.lost_at,
        refusal=Refusal.model_validate(robot.refusal) if robot.refusal else None,
    )
