"""A hall may join a larger hall, and be joined by smaller ones."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007_halls"
down_revision = "0006_rollouts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New tables; all that there is are robots, and each delta is of one."""
    for table in ("robots", "enrolment_tokens"):
        op.add_column(table, sa.Column("hall_robots", sa.BigInteger(), nullable=True))
    op.add_column("deltas", sa.Column("robots", sa.BigInteger(), nullable=False, server_default="1"))
    op.create_table(
        "membership",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hub", sa.String(2000), nullable=False),
        sa.Column("identity", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("first_root", sa.String(512_000), nullable=False),
        sa.Column("path", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("refusal", sa.String(2000), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "shared_skills",
        sa.Column("skill", sa.String(128), primary_key=True),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "hall_rounds",
        sa.Column("round_id", sa.String(128), primary_key=True),
        sa.Column("skill", sa.String(128), nullable=False, index=True),
        sa.Column("assignment", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(128), nullable=False, index=True),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("campaign_id", sa.String(128), sa.ForeignKey("campaigns.campaign_id"), nullable=True),
        sa.Column("delta", sa.String(128), nullable=True),
        sa.Column("robots", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "adopted",
        sa.Column("digest", sa.String(128), primary_key=True),
        sa.Column("skill", sa.String(128), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("upper", sa.BigInteger(), nullable=False),
        sa.Column("brought_down", sa.Boolean(), nullable=False),
        sa.Column("adopted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["skill", "number"], ["versions.skill", "versions.number"]),
    )


def downgrade() -> None:
    """What halls brought would count as one robot's.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
