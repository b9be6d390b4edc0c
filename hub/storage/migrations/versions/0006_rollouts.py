"""Roll-outs with their journal, what robots report, and tags of robots."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006_rollouts"
down_revision = "0005_confirmations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New tables; nothing of before changes."""
    op.create_table(
        "rollouts",
        sa.Column("rollout_id", sa.String(128), primary_key=True),
        sa.Column("skill", sa.String(128), sa.ForeignKey("skills.name"), nullable=False),
        sa.Column("old", sa.BigInteger(), nullable=False),
        sa.Column("new", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("ring", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("fixed", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("started_by", sa.String(128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_holder", sa.String(128), nullable=False),
        sa.Column("lease_number", sa.BigInteger(), nullable=False),
        sa.Column("lease_taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_note", sa.String(2000), nullable=False),
    )
    for first in ((), ("skill",), ("state",)):
        columns = [*first, "created_at", "rollout_id"]
        op.create_index(f"ix_rollouts_{'_'.join(columns)}", "rollouts", columns)
    op.create_table(
        "rollout_steps",
        sa.Column("rollout_id", sa.String(128), sa.ForeignKey("rollouts.rollout_id"), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event", sa.String(128), nullable=False),
        sa.Column("state", sa.String(128), nullable=False),
        sa.Column("ring", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("known", sa.JSON(none_as_null=True), nullable=False),
    )
    op.create_table(
        "reports",
        sa.Column("robot_id", sa.String(128), sa.ForeignKey("robots.robot_id"), primary_key=True),
        sa.Column("skill", sa.String(128), sa.ForeignKey("skills.name"), primary_key=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("said", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_reports_skill_version", "reports", ["skill", "version"])
    op.create_table(
        "robot_tags",
        sa.Column("robot_id", sa.String(128), sa.ForeignKey("robots.robot_id"), primary_key=True),
        sa.Column("tag", sa.String(128), primary_key=True),
    )


def downgrade() -> None:
    """Robots would be left in a ring that nobody knows of.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
