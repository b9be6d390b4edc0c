"""Which skills run on a robot, as a condition on rows of skills: what `skills.fits` says of one, set by set.

All versions of a skill have one contract, so its digest stands in the skill's row; what else a version needs
is in its manifest. Why one does not fit is left to `hub.robots.fits`.
"""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.orm import Session, undefer

from hub.access.principal import Viewer
from hub.access.visibility import seen_robots
from hub.catalogue.skill_views import points_at
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.skills import SkillRow, VersionRow
from skills.errors import NotFoundError
from skills.fits import Abilities, Ability
from skills.manifest import Contract

__all__ = ["contract_key", "find_robot", "runs_on"]


def contract_key(contract: Contract) -> str:
    """Equal for equal contracts, between which `Contract.differences` finds nothing."""
    canonical = json.dumps(contract.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def find_robot(session: Session, robot_id: str, viewer: Viewer) -> RobotRow:
    """A robot that the viewer sees, with what it said of itself.

    Raises:
        NotFoundError: There is none.
    """
    its = select(RobotRow).where(RobotRow.robot_id == robot_id, seen_robots(viewer))
    row = session.scalar(its.options(undefer(RobotRow.abilities)))
    if row is None:
        raise NotFoundError(
            f"there is no robot {robot_id[:64]!r}.", where="robot", remedy="See the list of robots."
        )
    return row


def runs_on(robot: RobotRow) -> ColumnElement[bool]:
    """The stable version of a skill fits what the robot said of itself; none does before it said any."""
    if robot.abilities is None:
        return false()
    said = Abilities.model_validate(robot.abilities)
    kind = VersionRow.manifest["network", "kind"].as_string().in_(said.networks)
    return or_(false(), *(_served(each, kind) for each in said.abilities))


def _served(ability: Ability, kind: ColumnElement[bool]) -> ColumnElement[bool]:
    needs = kind
    if ability.task_digest is not None:
        bundle = VersionRow.manifest["task_digest"].as_string()
        needs = and_(kind, or_(bundle.is_(None), bundle == ability.task_digest))
    is_same = SkillRow.contract == contract_key(ability.contract)
    return and_(SkillRow.task == ability.task, is_same, points_at("stable", needs))
