"""Webhooks and what they did not take; since when a robot is missed; robots that were withdrawn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENTS = (
    ("robots", "lost_at"),
    ("robots", "closed_at"),
    ("versions", "withdrawn_at"),
    ("versions", "purged_at"),
)


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
    op.create_table(
        "webhooks",
        sa.Column("webhook_id", sa.String(length=128), nullable=False),
        sa.Column("organisation", sa.String(length=128), nullable=False),
        sa.Column("url", sa.String(length=2000), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("trouble", sa.String(length=500), nullable=False),
        sa.Column("resting_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("webhook_id"),
    )
    op.create_table(
        "undelivered",
        sa.Column("webhook_id", sa.String(length=128), nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.webhook_id"]),
        sa.PrimaryKeyConstraint("webhook_id", "event_id"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("undelivered")
    op.drop_table("webhooks")
    op.drop_table("withdrawals")
    op.drop_column("skills", "held_by")
    for table, column in MOMENTS:
        op.drop_column(table, column)
