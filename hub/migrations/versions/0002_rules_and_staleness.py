"""Any rule and optimiser, late deltas, and what merging a round again needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. Plain statements: copying a table that others point at would lose their rows on SQLite."""
    op.execute("ALTER TABLE rounds RENAME COLUMN momentum_before TO optimiser_before")
    op.execute("ALTER TABLE rounds RENAME COLUMN momentum_after TO optimiser_after")
    op.add_column("rounds", sa.Column("device", sa.String(length=128), nullable=True))
    op.add_column("rounds", sa.Column("root", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("deltas", sa.Column("staleness", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Back."""
    op.drop_column("deltas", "staleness")
    op.drop_column("rounds", "root")
    op.drop_column("rounds", "device")
    op.execute("ALTER TABLE rounds RENAME COLUMN optimiser_after TO momentum_after")
    op.execute("ALTER TABLE rounds RENAME COLUMN optimiser_before TO momentum_before")
