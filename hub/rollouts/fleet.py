"""The fleet as its operators see it: which version each robot is to use, and what it says of itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, String, and_, cast, delete, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal, Viewer
from hub.access.visibility import seen_robots
from hub.catalogue.catalogue import find_skill
from hub.rollouts.journal import find_rollout
from hub.rollouts.membership import asking
from hub.rollouts.wanting import Rings, Wanting
from hub.storage.database import Database
from hub.storage.paging import Line, Order, containing, page_of
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rollouts import ReportRow, RobotTagRow
from skills.errors import NotFoundError
from skills.messages.lists import FleetQuery, Page
from skills.messages.reports import Adoption, FleetRobot, Report, TagsChange, Use
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
            NotFoundError: No such skill, or it has no such roll-out.
        """
        with self.database.read() as session:
            find_skill(session, query.skill, viewer)
            wanting = Wanting.of(session, query.skill)
            rings = _rings(session, query, viewer) if query.rollout else wanting.rings
            found = _reporting(query.skill).where(seen_robots(viewer), *_chosen(query))
            if query.ring is not None or query.drifts:
                found = found.where(RobotRow.robot_id.in_(_computed(session, found, query, rings, wanting)))
            return page_of(
                session, found, FLEET_ORDER, query, lambda rows: _views(session, rows, query, rings, wanting)
            )

    def uses(self, viewer: Viewer, robots: Sequence[str]) -> dict[str, tuple[Use, ...]]:
        """By robot of those that the viewer sees: the skills that it asks for, and what it says of each."""
        found: dict[str, list[Use]] = defaultdict(list)
        with self.database.read() as session:
            its = and_(ReportRow.robot_id == RobotRow.robot_id, ReportRow.skill == InterestRow.skill)
            rows = select(RobotRow, InterestRow.skill, ReportRow)
            rows = rows.join(InterestRow, InterestRow.robot_id == RobotRow.robot_id).outerjoin(ReportRow, its)
            rows = rows.where(
                RobotRow.robot_id.in_(robots), seen_robots(viewer), RobotRow.closed_at.is_(None)
            )
            wanting: dict[str, Wanting] = {}
            for robot, skill, report in session.execute(rows.order_by(InterestRow.skill)):
                if skill not in wanting:
                    wanting[skill] = Wanting.of(session, skill)
                found[robot.robot_id].append(_use(skill, report, wanting[skill].version(robot)))
        return {robot_id: tuple(uses) for robot_id, uses in found.items()}

    def adoption(self, skill: str, viewer: Viewer) -> tuple[Adoption, ...]:
        """By version, newest first: how many robots that the viewer sees say they use it, and how it goes.

        Raises:
            NotFoundError: No such skill.
        """
        found: dict[int, Adoption] = {}
        with self.database.read() as session:
            find_skill(session, skill, viewer)
            wanting = Wanting.of(session, skill)
            for robot, report in session.execute(_reporting(skill).where(seen_robots(viewer))):
                said = _use(skill, report, wanting.version(robot))
                if said.report is not None:
                    _count(found, said, said.report)
        return tuple(found[version] for version in sorted(found, reverse=True))

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


def _reporting(skill: str) -> Select[RobotRow, ReportRow]:
    """Robots that ask for a skill, each with what it reported of it."""
    its = and_(ReportRow.robot_id == RobotRow.robot_id, ReportRow.skill == skill)
    return asking(skill).add_columns(ReportRow).outerjoin(ReportRow, its)


def _rings(session: Session, query: FleetQuery, viewer: Viewer) -> Rings:
    row = find_rollout(session, query.rollout, viewer)
    if row.skill != query.skill:
        raise NotFoundError(f"{query.skill} has no roll-out {query.rollout[:64]!r}.", where="rollout")
    return Rings.of(row)


def _chosen(query: FleetQuery) -> Iterator[ColumnElement[bool]]:
    """What of a query the database can decide."""
    if query.text:
        yield containing(query.text, RobotRow.robot_id, RobotRow.name)
    if query.organisation:
        yield RobotRow.organisation == query.organisation
    if query.embodiment:
        yield RobotRow.embodiment == query.embodiment
    if query.tag:
        tagged = select(RobotTagRow.robot_id).where(RobotTagRow.tag == query.tag)
        yield RobotRow.robot_id.in_(tagged)
    if query.version is not None:
        yield ReportRow.version == query.version
    if query.lost is not None:
        yield RobotRow.lost_at.is_not(None) == query.lost
    if query.refused:
        yield RobotRow.refusal.is_not(None)
        yield cast(RobotRow.refusal, String).contains(f'"{query.skill}"', autoescape=True)


def _computed(
    session: Session,
    found: Select[RobotRow, ReportRow],
    query: FleetQuery,
    rings: Rings,
    wanting: Wanting,
) -> list[str]:
    """Ids of those in the ring, or of those that drift: which these are follows from a hash of each."""
    return [
        robot.robot_id
        for robot, report in session.execute(found)
        if query.ring in {None, rings.ring(robot)}
        and (not query.drifts or _use(query.skill, report, wanting.version(robot)).drifts)
    ]


def _views(
    session: Session, rows: Sequence[Line], query: FleetQuery, rings: Rings, wanting: Wanting
) -> Iterator[FleetRobot]:
    tags: dict[str, list[str]] = {row[0].robot_id: [] for row in rows}
    theirs = select(RobotTagRow).where(RobotTagRow.robot_id.in_(tags)).order_by(RobotTagRow.tag)
    for each in session.scalars(theirs):
        tags[each.robot_id].append(each.tag)
    for robot, report in ((row[0], row[1]) for row in rows):
        yield FleetRobot(
            **dict(_use(query.skill, report, wanting.version(robot))),
            robot_id=robot.robot_id,
            name=robot.name,
            organisation=robot.organisation,
            embodiment=robot.embodiment,
            tags=tuple(tags[robot.robot_id]),
            ring=rings.ring(robot),
            last_seen_at=robot.last_seen_at,
            lost_at=robot.lost_at,
            refusal=Refusal.model_validate(robot.refusal) if robot.refusal else None,
        )


def _use(skill: str, report: ReportRow | None, wanted: int | None) -> Use:
    return Use(
        skill=skill,
        wanted=wanted,
        heard_at=report.heard_at if report else None,
        report=Report.model_validate(report.said) if report else None,
    )


def _count(found: dict[int, Adoption], said: Use, report: Report) -> None:
    """Add one robot's word to what others said."""
    for tally in report.tallies:
        one = found.get(tally.version, Adoption(version=tally.version))
        jobs = {"done": one.done + tally.done, "failed": one.failed + tally.failed}
        found[tally.version] = one.model_copy(update=jobs)
    one = found.get(report.version, Adoption(version=report.version))
    more = {"robots": one.robots + 1, "drifting": one.drifting + said.drifts}
    found[report.version] = one.model_copy(update=more)
