"""First versions are measured, too: releases with a state, and a skill's minimum."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("skills", sa.Column("minimum", sa.Double(), nullable=True))
    op.create_table(
        "releases",
        sa.Column("release_id", sa.String(length=128), nullable=False),
        sa.Column("skill", sa.String(length=128), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("if_none", sa.Boolean(), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("gate", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["skill"], ["skills.name"]),
        sa.PrimaryKeyConstraint("release_id"),
    )
    op.create_index(op.f("ix_releases_skill"), "releases", ["skill"])
    op.create_index(op.f("ix_releases_state"), "releases", ["state"])
    op.create_table(
        "discards",
        sa.Column("region", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("region", "digest"),
    )
    op.create_index(op.f("ix_discards_discarded_at"), "discards", ["discarded_at"])
    op.add_column("webhooks", sa.Column("trial_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("webhooks", sa.Column("trial_report", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Back."""
    op.drop_column("webhooks", "trial_report")
    op.drop_column("webhooks", "trial_asked_at")
    op.drop_table("discards")
    op.drop_table("releases")
    op.drop_column("skills", "minimum")
