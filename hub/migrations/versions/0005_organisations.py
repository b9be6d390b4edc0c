"""Organisations as rows, owners and visibility of skills and events, and several tokens a user.

What was there keeps working as it did: every skill is the guild's and seen by the guild, no limits, and each
user's token becomes that user's first one.
"""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GUILD = "guild"
SCOPES = ["read", "publish", "operate", "administer", "tokens"]
TEXT = sa.String(length=128)
MOMENT = sa.DateTime(timezone=True)
DOCUMENT = sa.JSON(none_as_null=True)
LIMITS = ("robots_limit", "storage_limit", "uploads_limit", "delta_limit", "skill_limit", "campaigns_limit")


def upgrade() -> None:
    """Forward."""
    organisations = op.create_table(
        "organisations",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("region", TEXT, nullable=False),
        sa.Column("visibility", TEXT, nullable=False),
        *(sa.Column(limit, sa.BigInteger(), nullable=True) for limit in LIMITS),
        sa.Column("stored_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("skills", sa.Column("organisation", TEXT, nullable=False, server_default=GUILD))
    op.add_column("skills", sa.Column("visibility", TEXT, nullable=False, server_default=GUILD))
    op.add_column("versions", sa.Column("published_by", TEXT, nullable=False, server_default="hub"))
    op.add_column("events", sa.Column("skill", TEXT, nullable=True))
    op.add_column("events", sa.Column("organisation", TEXT, nullable=True))
    op.create_index("ix_deltas_received_at", "deltas", ["received_at"])
    op.bulk_insert(organisations, _organisations())
    _fill_publishers()
    _fill_events()
    _move_tokens()


def downgrade() -> None:
    """Back; of each user the token that was made first is kept."""
    op.add_column("users", sa.Column("token_hash", TEXT, nullable=True))
    op.add_column("users", sa.Column("expires_at", MOMENT, nullable=True))
    for column in ("token_hash", "expires_at"):
        op.execute(
            f"UPDATE users SET {column} = (SELECT {column} FROM user_tokens"  # noqa: S608 - names of ours
            " WHERE user_tokens.user_name = users.name ORDER BY created_at, token_hash LIMIT 1)"
        )
    op.drop_table("user_tokens")
    op.execute("DELETE FROM users WHERE token_hash IS NULL")
    with op.batch_alter_table("users") as users:
        users.alter_column("token_hash", existing_type=TEXT, nullable=False)
        users.create_unique_constraint("users_token_hash_key", ["token_hash"])
    op.drop_index("ix_deltas_received_at", "deltas")
    op.drop_column("events", "organisation")
    op.drop_column("events", "skill")
    op.drop_column("versions", "published_by")
    op.drop_column("skills", "visibility")
    op.drop_column("skills", "organisation")
    op.drop_table("organisations")


def _organisations() -> list[dict[str, object]]:
    """Every name in use; the skills, and the room that they take, are the guild's."""
    names = [
        f"SELECT organisation FROM {table}"  # noqa: S608 - names of ours
        for table in ("users", "robots", "enrolment_tokens", "skills")
    ]
    connection = op.get_bind()
    found = connection.execute(sa.text(" UNION ".join(names))).scalars().all()
    sizes = "(SELECT COALESCE(SUM(size), 0) FROM versions) + (SELECT COALESCE(SUM(size), 0) FROM deltas)"
    stored = int(connection.execute(sa.text(f"SELECT {sizes}")).scalar_one())
    return [
        {
            "name": name,
            "region": "",
            "visibility": GUILD,
            "stored_bytes": stored if name == GUILD else 0,
            "created_at": datetime.now(UTC),
        }
        for name in sorted(found)
    ]


def _fill_publishers() -> None:
    """Who published a version is in the audit log, where the hub kept one then."""
    audit = sa.table("audit", sa.column("action"), sa.column("actor"), sa.column("subject"), _json("details"))
    versions = sa.table("versions", sa.column("skill"), sa.column("number"), sa.column("published_by"))
    known = (
        sa.select(sa.func.min(audit.c.actor))
        .where(audit.c.action == "skill.published", audit.c.subject == versions.c.skill)
        .where(audit.c.details["version"].as_integer() == versions.c.number)
        .scalar_subquery()
    )
    op.execute(versions.update().values(published_by=sa.func.coalesce(known, "hub")))


def _fill_events() -> None:
    """Whose an event is follows from the names in it."""
    events = sa.table("events", sa.column("skill"), sa.column("organisation"), _json("data"))
    campaigns = sa.table("campaigns", sa.column("campaign_id"), sa.column("skill"))
    rounds = sa.table("rounds", sa.column("round_id"), sa.column("campaign_id"))
    robots = sa.table("robots", sa.column("robot_id"), sa.column("organisation"))
    named = {name: events.c.data[name].as_string() for name in ("skill", "round_id", "robot_id")}
    of_round = (
        sa.select(campaigns.c.skill)
        .where(campaigns.c.campaign_id == rounds.c.campaign_id, rounds.c.round_id == named["round_id"])
        .scalar_subquery()
    )
    of_robot = (
        sa.select(robots.c.organisation).where(robots.c.robot_id == named["robot_id"]).scalar_subquery()
    )
    op.execute(
        events.update().values(skill=sa.func.coalesce(named["skill"], of_round), organisation=of_robot)
    )


def _json(name: str) -> sa.ColumnClause[object]:
    return sa.column(name, sa.JSON())


def _move_tokens() -> None:
    """Read first and written last: SQLite copies the table of users, at which nothing may point meanwhile."""
    found = sa.select(*(sa.column(name) for name in ("name", "token_hash"))).add_columns(
        sa.column("created_at", MOMENT), sa.column("expires_at", MOMENT)
    )
    rows = op.get_bind().execute(found.select_from(sa.table("users"))).mappings().all()
    with op.batch_alter_table("users") as users:
        users.drop_column("token_hash")
        users.drop_column("expires_at")
    tokens = op.create_table(
        "user_tokens",
        sa.Column("token_hash", TEXT, nullable=False),
        sa.Column("user_name", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("last_used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_name"], ["users.name"]),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.UniqueConstraint("user_name", "name"),
    )
    op.bulk_insert(
        tokens,
        [{**row, "user_name": row["name"], "name": "first", "scopes": SCOPES} for row in rows],
    )
