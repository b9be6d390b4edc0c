"""Releases that an organisation's own key signs: whose role it is, and by which key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008_release_keys"
down_revision = "0007_halls"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nobody has such a key yet."""
    for table, column in (("metadata_roles", "skill"), ("metadata_roles", "key"), ("releases", "key")):
        op.add_column(table, sa.Column(column, sa.String(128), nullable=False, server_default=""))


def downgrade() -> None:
    """The hub would sign for skills of which robots believe their organisation's key alone.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
