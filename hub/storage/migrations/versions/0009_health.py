"""What robots tell of their machines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009_health"
down_revision = "0008_release_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A new table; nothing of before changes."""
    op.create_table(
        "health",
        sa.Column("robot_id", sa.String(128), sa.ForeignKey("robots.robot_id"), primary_key=True),
        sa.Column("skill", sa.String(128), sa.ForeignKey("skills.name"), primary_key=True),
        sa.Column("embodiment", sa.String(128), nullable=False),
        sa.Column("figures", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("counted", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("worn_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_health_skill_embodiment", "health", ["skill", "embodiment"])
    op.create_index("ix_health_worn_since", "health", ["worn_since"])


def downgrade() -> None:
    """Robots would be told that nothing of theirs was counted, and send it again.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
