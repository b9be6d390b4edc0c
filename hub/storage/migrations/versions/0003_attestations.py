"""Attestations of versions, the public half of the gate's own key, and why somebody released a version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_attestations"
down_revision = "0002_controllers"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Versions of before have none; what is stable is measured anew, see `hub.catalogue.releases`."""
    op.add_column("hub", sa.Column("gate_key", sa.String(128), nullable=True))
    op.add_column("releases", sa.Column("words", sa.String(500), nullable=True))
    op.create_table(
        "attestations",
        sa.Column("digest", sa.String(128), primary_key=True),
        sa.Column("skill", sa.String(128), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("signer", sa.String(128), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["skill", "number"], ["versions.skill", "versions.number"]),
    )
    op.create_index("ix_attestations_skill_number", "attestations", ["skill", "number"])


def downgrade() -> None:
    """What was vouched for is not thrown away.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("attestations cannot be made again: restore a backup instead")
