"""Tasks that are published through the hub."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


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
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["task"], ["tasks.name"]),
        sa.PrimaryKeyConstraint("task", "number"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_task_versions_bundle"), "task_versions", ["bundle"])
    op.create_index(op.f("ix_task_versions_state"), "task_versions", ["state"])


def downgrade() -> None:
    """Back."""
    op.drop_table("task_versions")
    op.drop_table("tasks")
