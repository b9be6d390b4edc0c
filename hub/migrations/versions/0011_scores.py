"""What versions scored on the leaderboards of their tasks; those that are stable now wait for theirs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    moment = sa.DateTime(timezone=True)
    scores = op.create_table(
        "scores",
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("skill", sa.String(length=128), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("task", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column("wanted_at", moment, nullable=False),
        sa.Column("task_digest", sa.String(length=128), nullable=True),
        sa.Column("plan", sa.String(length=1000), nullable=True),
        sa.Column("report", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("replay", sa.String(length=128), nullable=True),
        sa.Column("scored_at", moment, nullable=True),
        sa.Column("leased_by", sa.String(length=128), nullable=True),
        sa.Column("leased_until", moment, nullable=True),
        sa.ForeignKeyConstraint(["digest"], ["versions.digest"]),
        sa.ForeignKeyConstraint(["skill"], ["skills.name"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    for column in ("skill", "task", "state"):
        op.create_index(op.f(f"ix_scores_{column}"), "scores", [column])
    versions = sa.table(
        "versions",
        *(sa.column(name) for name in ("digest", "skill", "number")),
        sa.column("manifest", sa.JSON()),
        sa.column("created_at", moment),
    )
    channels = sa.table("channels", sa.column("skill"), sa.column("name"), sa.column("number"))
    pointed = sa.and_(channels.c.skill == versions.c.skill, channels.c.number == versions.c.number)
    stable = sa.select(versions).join_from(versions, channels, pointed).where(channels.c.name == "stable")
    waiting = {"state": "waiting", "reason": ""}
    rows = [
        {
            "digest": row.digest,
            "skill": row.skill,
            "number": row.number,
            "task": row.manifest.get("task", row.skill),
            "wanted_at": row.created_at,
            **waiting,
        }
        for row in op.get_bind().execute(stable)
    ]
    op.bulk_insert(scores, rows)


def downgrade() -> None:
    """Back."""
    op.drop_table("scores")
