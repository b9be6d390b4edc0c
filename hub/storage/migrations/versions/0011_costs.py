"""What a round cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011_costs"
down_revision = "0010_search_texts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """New columns; of rounds of before nothing is known."""
    for name in ("received_bytes", "sent_bytes"):
        op.add_column("rounds", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    for name in ("hub_seconds", "robot_seconds", "joules", "counted_joules"):
        op.add_column("rounds", sa.Column(name, sa.Double(), nullable=False, server_default="0"))


def downgrade() -> None:
    """What rounds cost would be forgotten.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade instead")
