"""Whose robots may work on a skill: those that see it, and whose data may lie where the skill lies.

A robot of a pinned organisation works only on skills of its own region, so that its deltas never leave it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, not_, select
from sqlalchemy.orm import Session

from hub.storage.regions import HOME
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.robots import InterestRow, RobotRow
from hub.storage.tables.rounds import AssignmentRow, CampaignRow, RoundRow
from hub.storage.tables.skills import SkillRow

__all__ = ["contributors", "dismiss_others"]


def contributors(skill: SkillRow) -> ColumnElement[bool]:
    """A condition on rows of robots."""
    owners = select(OrganisationRow.region).where(OrganisationRow.name == skill.organisation)
    near = OrganisationRow.region.in_([HOME, owners.scalar_subquery()])
    here = and_(
        RobotRow.organisation.in_(select(OrganisationRow.name).where(near)), RobotRow.closed_at.is_(None)
    )
    if skill.visibility == "guild":
        return here
    return and_(here, RobotRow.organisation == skill.organisation)


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
