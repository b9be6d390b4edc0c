"""Whose robots may work on a skill: those that see it, and whose data may lie where the skill lies.

A robot of a pinned organisation works only on skills of its own region, so that its deltas never leave it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from sqlalchemy import BindParameter, ColumnElement, String, and_, bindparam, delete, not_, select
from sqlalchemy.orm import Session

from hub.storage.regions import HOME
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import AssignmentRow, CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow
from skills.messages.skills import Visibility

__all__ = ["contributors", "contributors_among", "dismiss_others"]


def contributors(skill: SkillRow) -> ColumnElement[bool]:
    """A condition on rows of robots."""
    return _condition(skill.organisation, skill.visibility)


def _condition(owner: str | BindParameter[str], visibility: str) -> ColumnElement[bool]:
    owners = select(OrganisationRow.region).where(OrganisationRow.name == owner)
    near = OrganisationRow.region.in_([HOME, owners.scalar_subquery()])
    here = and_(
        RobotRow.organisation.in_(select(OrganisationRow.name).where(near)), RobotRow.closed_at.is_(None)
    )
    return here if visibility == "guild" else and_(here, RobotRow.organisation == owner)


AMONG = {
    visibility: select(RobotRow.robot_id).where(
        RobotRow.robot_id.in_(bindparam("robots", expanding=True)),
        _condition(bindparam("owner", type_=String), visibility),
    )
    for visibility in get_args(Visibility)
}
"""By visibility of the skill; made once, because polls and pushes ask so."""


def contributors_among(session: Session, skill: SkillRow, robot_ids: Collection[str]) -> set[str]:
    """Those of these robots that may work on a skill."""
    asked = {"robots": sorted(robot_ids), "owner": skill.organisation}
    return set(session.scalars(AMONG[skill.visibility], asked))


def dismiss_others(session: Session, skill: SkillRow) -> None:
    """Rounds wait no longer for robots that may not work on the skill any more; what they sent stays."""
    others = select(RobotRow.robot_id).where(not_(contributors(skill)))
    rounds = (
        select(RoundRow.round_id)
        .join(CampaignRow, CampaignRow.campaign_id == RoundRow.campaign_id)
        .where(CampaignRow.skill == skill.name)
    )
    session.execute(
        delete(AssignmentRow).where(AssignmentRow.robot_id.in_(others), AssignmentRow.round_id.in_(rounds))
    )
    session.execute(
        delete(InterestRow).where(InterestRow.robot_id.in_(others), InterestRow.skill == skill.name)
    )
