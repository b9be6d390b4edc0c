"""What robots said that they serve."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column("robots", sa.Column("abilities", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Back."""
    op.drop_column("robots", "abilities")
