"""Who confirmed a version's score, and which robots stay with an older version than the stable one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005_confirmations"
down_revision = "0004_metadata"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has confirmed anything, and all robots follow the stable version."""
    op.create_table(
        "confirmations",
        sa.Column("digest", sa.String(128), sa.ForeignKey("versions.digest"), primary_key=True),
        sa.Column("confirmed_by", sa.String(128), primary_key=True),
        sa.Column("organisation", sa.String(128), nullable=False),
        sa.Column("attestation", sa.String(128), sa.ForeignKey("attestations.digest"), nullable=False),
        sa.Column("task_digest", sa.String(128), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("said", sa.JSON(none_as_null=True), nullable=False),
    )
    op.create_index("ix_confirmations_confirmed_at", "confirmations", ["confirmed_at"])
    op.add_column(
        "channels", sa.Column("kept", sa.JSON(none_as_null=True), nullable=False, server_default="{}")
    )


def downgrade() -> None:
    """Statements would be lost, and robots would be sent to a version that failed on their arm.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
