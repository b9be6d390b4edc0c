"""Tasks that are published through the hub; and one kind of lease, in the row that is worked on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LEASED = ("campaigns", "scores", "task_versions", "webhooks", "withdrawals")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "tasks",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("organisation", sa.String(length=128), nullable=False),
        sa.Column("visibility", sa.String(length=128), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.name"]),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "task_versions",
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("bundle", sa.String(length=128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("summary", sa.String(length=2000), nullable=False),
        sa.Column("licence", sa.String(length=128), nullable=False),
        sa.Column("readme", sa.String(length=20_000), nullable=False),
        sa.Column("published_by", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=128), nullable=False),
        sa.Column("checked", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["tasks.name"]),
        sa.PrimaryKeyConstraint("task", "number"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_task_versions_bundle"), "task_versions", ["bundle"])
    op.create_index(op.f("ix_task_versions_state"), "task_versions", ["state"])
    op.drop_table("leases")
    for table in ("scores", "webhooks", "withdrawals"):
        for name in ("leased_by", "leased_until"):
            op.drop_column(table, name)
    for table in LEASED:
        for column in _lease():
            op.add_column(table, column)


def _lease() -> list[sa.Column[Any]]:
    moment = sa.DateTime(timezone=True)
    return [
        sa.Column("lease_holder", sa.String(length=128), nullable=False, server_default=""),
        sa.Column("lease_number", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("lease_taken_at", moment, nullable=True),
        sa.Column("lease_expires_at", moment, nullable=True),
        sa.Column("lease_note", sa.String(length=2000), nullable=False, server_default=""),
    ]


def downgrade() -> None:
    """Back."""
    for table in LEASED:
        for column in _lease():
            op.drop_column(table, column.name)
    for table in ("scores", "webhooks", "withdrawals"):
        op.add_column(table, sa.Column("leased_by", sa.String(length=128), nullable=True))
        op.add_column(table, sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "leases",
        sa.Column("campaign_id", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id"),
    )
    op.drop_table("task_versions")
    op.drop_table("tasks")
