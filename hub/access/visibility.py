"""Who may see whose things and who may change them: pure rules, and the database filters made of them.

    seen by                                     private     organisation   guild
    everybody, also without a login             -           -              yes
    robots and operators of its organisation    yes         yes            yes
    researchers of its organisation             if they     yes            yes
                                                published
                                                a version
    admins of the hub                           yes         yes            yes

A skill has an owner and a visibility, which its versions, files, campaigns, rounds, deltas and events share.
What one may not see does not exist: it is filtered out, or refused in the words for a name that is nowhere.
Whether anybody may ask without a login, and which role an action needs, is for `hub.api` to say.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import get_args

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from hub.access.principal import Principal, Viewer
from hub.storage.tables.events import EventRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.storage.tables.tasks import TaskRow, TaskVersionRow
from skills.errors import ForbiddenError
from skills.messages.skills import Visibility

__all__ = [
    "VISIBILITIES",
    "may_change",
    "may_see",
    "may_see_robots",
    "must_change",
    "of_organisation",
    "seen",
    "seen_events",
    "seen_robots",
    "seen_skills",
    "seen_task_versions",
    "seen_tasks",
]

VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
ALL = frozenset(VISIBILITIES)
OF_THE_GUILD: frozenset[Visibility] = frozenset({"guild"})


@dataclass(frozen=True)
class _Sight:
    """Which visibilities a viewer sees: of others' skills, of its organisation's, of those it published."""

    others: frozenset[Visibility]
    own: frozenset[Visibility]
    published: frozenset[Visibility]


def _sight(viewer: Viewer) -> _Sight:
    match viewer.role if viewer else None:
        case None:
            return _Sight(OF_THE_GUILD, OF_THE_GUILD, OF_THE_GUILD)
        case "admin":
            return _Sight(ALL, ALL, ALL)
        case "researcher":
            return _Sight(OF_THE_GUILD, frozenset({"organisation", "guild"}), ALL)
        case _:
            return _Sight(OF_THE_GUILD, ALL, ALL)


def may_see(viewer: Viewer, owner: str, visibility: Visibility, publishers: Collection[str] = ()) -> bool:
    """Whether a viewer sees a skill and what belongs to it.

    Args:
        viewer: Who looks.
        owner: The skill's organisation.
        visibility: The skill's.
        publishers: Who published its versions, as in the audit log.
    """
    sight = _sight(viewer)
    if viewer is None or viewer.organisation != owner:
        return visibility in sight.others
    return visibility in (sight.published if viewer.actor in publishers else sight.own)


def seen(viewer: Viewer) -> ColumnElement[bool]:
    """`may_see` as a condition on rows of skills."""
    sight = _sight(viewer)
    others = SkillRow.visibility.in_(sight.others)
    if viewer is None:
        return others
    theirs = select(VersionRow.skill).where(VersionRow.published_by == viewer.actor)
    published = and_(SkillRow.visibility.in_(sight.published), SkillRow.name.in_(theirs))
    own = or_(SkillRow.visibility.in_(sight.own), published)
    return or_(others, and_(SkillRow.organisation == viewer.organisation, own))


def seen_skills(viewer: Viewer) -> Select[str]:
    """Names of the skills that a viewer sees, for conditions on what belongs to a skill."""
    return select(SkillRow.name).where(seen(viewer))


def seen_task_versions(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on versions of tasks: as for skills, and to other organisations only what is listed."""
    if viewer is not None and viewer.role == "admin":
        return true()
    sight = _sight(viewer)
    others = select(TaskRow.name).where(TaskRow.visibility.in_(sight.others))
    listed = and_(TaskVersionRow.state == "listed", TaskVersionRow.task.in_(others))
    if viewer is None:
        return listed
    published = _published_tasks(viewer)
    own = or_(TaskRow.visibility.in_(sight.own), and_(TaskRow.visibility.in_(sight.published), published))
    theirs = select(TaskRow.name).where(TaskRow.organisation == viewer.organisation, own)
    return or_(listed, TaskVersionRow.task.in_(theirs))


def seen_tasks(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on rows of tasks: those of which the viewer sees a version."""
    return exists().where(TaskVersionRow.task == TaskRow.name, seen_task_versions(viewer))


def _published_tasks(viewer: Principal) -> ColumnElement[bool]:
    theirs = aliased(TaskVersionRow)
    return TaskRow.name.in_(select(theirs.task).where(theirs.published_by == viewer.actor))


def may_see_robots(viewer: Viewer, organisation: str) -> bool:
    """Whether a viewer sees an organisation's robots, by which any of them can be told from another."""
    if viewer is None:
        return False
    return viewer.role == "admin" or (viewer.role == "operator" and viewer.organisation == organisation)


def seen_robots(viewer: Viewer) -> ColumnElement[bool]:
    """`may_see_robots`, and each robot itself, as a condition on rows of robots."""
    match viewer.role if viewer else None:
        case "admin":
            return true()
        case "operator" if viewer:
            return RobotRow.organisation == viewer.organisation
        case "robot" if viewer:
            return RobotRow.robot_id == viewer.name
        case _:
            return false()


def seen_events(viewer: Viewer) -> ColumnElement[bool]:
    """A condition on rows of events: of skills and robots that the viewer sees; all for admins."""
    if viewer is not None and viewer.role == "admin":
        return true()
    of_skills = EventRow.skill.in_(seen_skills(viewer))
    if viewer is None or not may_see_robots(viewer, viewer.organisation):
        return of_skills
    of_robots = and_(EventRow.skill.is_(None), EventRow.organisation == viewer.organisation)
    return or_(of_skills, of_robots)


def may_change(by: Principal, owner: str) -> bool:
    """Whether somebody may act on an organisation's things, as far as the role allows the action."""
    return by.role == "admin" or by.organisation == owner


def of_organisation(by: Viewer, owner: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """`may_change` as a condition on rows with an owner, for what nobody else may look at."""
    if by is None:
        return false()
    return true() if by.role == "admin" else owner == by.organisation


def must_change(by: Principal, owner: str, what: str) -> None:
    """Hold somebody who sees a thing to the right to change it.

    Raises:
        ForbiddenError: It is another organisation's.
    """
    if not may_change(by, owner):
        raise ForbiddenError(
            f"{what} belongs to {owner}, and {by.name} to {by.organisation}.",
            remedy=f"Ask an operator of {owner}.",
            code="not_yours",
        )
