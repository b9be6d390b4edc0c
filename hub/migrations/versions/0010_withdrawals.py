"""Robots that were withdrawn, and versions that contain them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

MOMENTS = (("robots", "closed_at"), ("versions", "withdrawn_at"), ("versions", "purged_at"))


def upgrade() -> None:
    """Forward."""
    for table, column in MOMENTS:
        op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True))
    op.add_column("skills", sa.Column("held_by", sa.String(length=128), nullable=True))
    op.create_table(
        "withdrawals",
        sa.Column("withdrawal_id", sa.String(length=128), nullable=False),
        sa.Column("robot_id", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=128), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plan", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["robot_id"], ["robots.robot_id"]),
        sa.PrimaryKeyConstraint("withdrawal_id"),
        sa.UniqueConstraint("robot_id"),
    )
    op.create_index(op.f("ix_withdrawals_state"), "withdrawals", ["state"])


def downgrade() -> None:
    """Back."""
    op.drop_table("withdrawals")
    op.drop_column("skills", "held_by")
    for table, column in MOMENTS:
        op.drop_column(table, column)
