"""Statements that look up what a robot's offer is judged by, put together once.

What is made of their rows is `hub.deltas.offers`'s.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, insert, select

from hub.rounds.journal import NEWEST_ROUNDS
from hub.storage.database import table_of
from hub.storage.tables.people import OrganisationRow
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rounds import CampaignRow, DeltaRow, RoundRow
from hub.storage.tables.skills import SkillRow, VersionRow
from hub.storage.tables.uploads import DiscardRow

__all__ = [
    "BASE",
    "BROUGHT",
    "CAMPAIGNS",
    "DISCARDED",
    "LOCKED_NEWEST",
    "LOCKED_ROBOTS",
    "LOCKED_ROUNDS",
    "NEW",
    "OPENED",
    "OWNERS",
    "ROBOTS",
    "ROUND_ROWS",
]

THOSE_ROUNDS = RoundRow.round_id.in_(bindparam("rounds", expanding=True))
THOSE_ROBOTS: BindParameter[str] = bindparam("robots", expanding=True)
THOSE_CAMPAIGNS: BindParameter[str] = bindparam("campaigns", expanding=True)
OPENED = (
    select(RoundRow, CampaignRow)
    .join(CampaignRow, CampaignRow.campaign_id == RoundRow.campaign_id)
    .where(THOSE_ROUNDS)
)
ROUND_ROWS = select(RoundRow).where(THOSE_ROUNDS).order_by(RoundRow.round_id)
CAMPAIGNS = (
    select(CampaignRow, SkillRow)
    .join(SkillRow, SkillRow.name == CampaignRow.skill)
    .where(CampaignRow.campaign_id.in_(THOSE_CAMPAIGNS))
)
ROBOTS = (
    select(RobotRow.robot_id, RobotRow.public_key, RobotRow.closed_at, RobotRow.hall_robots)
    .where(RobotRow.robot_id.in_(THOSE_ROBOTS))
    .order_by(RobotRow.robot_id)
)
# No key is changed: who only refers to a round or robot, as assignments do, does not wait for this.
LOCKED_ROUNDS, LOCKED_NEWEST, LOCKED_ROBOTS = (
    each.with_for_update(key_share=True) for each in (ROUND_ROWS, NEWEST_ROUNDS, ROBOTS)
)
OWNERS = select(OrganisationRow).where(OrganisationRow.name.in_(bindparam("names", expanding=True)))
DISCARDED = select(DiscardRow.digest).where(DiscardRow.digest.in_(bindparam("digests", expanding=True)))
BROUGHT = (
    select(DeltaRow.robot_id, DeltaRow.digest, DeltaRow.round_id, DeltaRow.staleness)
    .add_columns(RoundRow.campaign_id, RoundRow.number)
    .join(RoundRow, RoundRow.round_id == DeltaRow.round_id)
    .where(
        DeltaRow.robot_id.in_(THOSE_ROBOTS),
        RoundRow.campaign_id.in_(THOSE_CAMPAIGNS),
        RoundRow.number.in_(bindparam("numbers", expanding=True)),
    )
)
BASE = select(VersionRow).where(VersionRow.digest == bindparam("digest"))
NEW = insert(table_of(DeltaRow))
