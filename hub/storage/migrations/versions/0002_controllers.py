"""What tasks' own controllers scored, beside the scores of skills."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002_controllers"
down_revision = "0001_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table more."""
    op.create_table(
        "controllers",
        _text("task", primary_key=True),
        _text("state", index=True),
        _text("reason", length=2000),
        _text("task_digest", nullable=True),
        _text("plan", length=1000, nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        _text("lease_holder"),
        sa.Column("lease_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lease_taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        _text("lease_note", length=2000),
    )


def _text(name: str, length: int = 128, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), **{"nullable": False, **options})
