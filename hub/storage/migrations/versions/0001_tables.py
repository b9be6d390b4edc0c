"""All tables, and the triggers that keep the audit log append-only."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001_tables"
down_revision = None
branch_labels = None
depends_on = None

INDICES = {
    "users": ["organisation, name"],
    "robots": [
        "enrolled_at, robot_id",
        "organisation, enrolled_at, robot_id",
        "embodiment, enrolled_at, robot_id",
    ],
    "skills": ["updated_at, name", "organisation, name", "task, name"],
    "versions": ["published_by, skill", "created_at"],
    "campaigns": [
        "created_at, campaign_id",
        "skill, created_at, campaign_id",
        "state, created_at, campaign_id",
    ],
    "interests": ["skill, asked_at"],
    "events": ["kind, id", "skill, id"],
    "audit": ["actor, number", "action, number", "subject, number"],
    "webhooks": ["organisation, created_at, webhook_id"],
    "withdrawals": ["requested_at, withdrawal_id"],
    "tasks": ["organisation, name"],
    "task_versions": ["published_by, task", "created_at"],
    "scores": ["skill, number"],
}
"""Beside those of single columns: what lists are sorted and filtered by."""

AUDIT_REFUSAL = "the audit log is append-only"
AUDIT_ON_POSTGRESQL = [
    f"""CREATE FUNCTION keep_audit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{AUDIT_REFUSAL}'; END $$""",
    """CREATE TRIGGER keep_audit BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION keep_audit()""",
]
AUDIT_ON_SQLITE = [
    f"""CREATE TRIGGER keep_audit_{verb.lower()} BEFORE {verb} ON audit
    BEGIN SELECT RAISE(ABORT, '{AUDIT_REFUSAL}'); END"""
    for verb in ("UPDATE", "DELETE")
]


def upgrade() -> None:
    """Make everything, those first that others point at."""
    _organisations_and_users()
    _robots()
    _skills()
    _blobs()
    _tasks()
    _campaigns()
    _deltas()
    _scores()
    _events_and_webhooks()
    _withdrawals()
    _audit()
    for table, indices in INDICES.items():
        for columns in indices:
            name = f"ix_{table}_{columns.replace(', ', '_')}"
            op.create_index(name, table, columns.split(", "))


def downgrade() -> None:
    """Before the first schema there was none.

    Raises:
        NotImplementedError: Always.
    """
    raise NotImplementedError("there is no schema before the first one: drop the database instead")


def _organisations_and_users() -> None:
    limits = ("robots", "storage", "uploads", "delta", "skill", "campaigns")
    op.create_table(
        "organisations",
        _text("name", primary_key=True),
        _text("region"),
        _text("visibility"),
        *(_number(f"{limit}_limit", nullable=True) for limit in limits),
        _number("stored_bytes"),
        _moment("created_at"),
    )
    op.create_table(
        "users",
        _text("name", primary_key=True),
        _text("role"),
        _text("organisation"),
        _moment("created_at"),
    )
    op.create_table(
        "user_tokens",
        _text("token_hash", primary_key=True),
        _text("user_name", sa.ForeignKey("users.name")),
        _text("name"),
        _document("scopes"),
        _moment("created_at"),
        _moment("expires_at", nullable=True),
        _moment("last_used_at", nullable=True),
        sa.UniqueConstraint("user_name", "name"),
    )
    op.create_table(
        "identities",
        _text("issuer", length=255, primary_key=True),
        _text("subject", length=255, primary_key=True),
        _text("user", sa.ForeignKey("users.name"), unique=True),
    )
    op.create_table(
        "sessions",
        _text("secret_hash", primary_key=True),
        _text("user", sa.ForeignKey("users.name"), index=True),
        _text(
            "token_hash",
            sa.ForeignKey("user_tokens.token_hash", ondelete="CASCADE"),
            nullable=True,
            index=True,
        ),
        _moment("created_at"),
        _moment("seen_at"),
        _moment("expires_at", index=True),
    )


def _robots() -> None:
    op.create_table(
        "enrolment_tokens",
        _text("token_hash", primary_key=True),
        _text("organisation"),
        _moment("expires_at"),
        _text("robot_id", nullable=True),
    )
    op.create_table(
        "robots",
        _text("robot_id", primary_key=True),
        _text("name"),
        _text("organisation"),
        _text("embodiment"),
        _text("public_key", unique=True),
        _moment("enrolled_at"),
        _moment("last_seen_at", nullable=True),
        _moment("lost_at", nullable=True),
        _moment("closed_at", nullable=True),
        _document("abilities", nullable=True),
    )
    op.create_table(
        "nonces",
        _text("robot_id", sa.ForeignKey("robots.robot_id"), primary_key=True),
        _text("nonce", primary_key=True),
        _moment("used_at", index=True),
    )
    op.create_table(
        "interests",
        _text("robot_id", sa.ForeignKey("robots.robot_id"), primary_key=True),
        _text("skill", primary_key=True),
        _moment("asked_at"),
    )


def _skills() -> None:
    op.create_table(
        "skills",
        _text("name", primary_key=True),
        _text("organisation"),
        _text("visibility"),
        _text("task"),
        _text("summary", length=2000),
        _moment("updated_at"),
        _text("held_by", nullable=True),
        sa.Column("minimum", sa.Double(), nullable=True),
    )
    op.create_table(
        "versions",
        _text("skill", sa.ForeignKey("skills.name"), primary_key=True),
        _number("number", primary_key=True),
        _text("digest", unique=True),
        _number("size"),
        _text("signature"),
        _document("manifest"),
        _text("published_by"),
        _moment("created_at"),
        _document("score", nullable=True),
        _document("gate", nullable=True),
        _moment("withdrawn_at", nullable=True),
        _moment("purged_at", nullable=True),
    )
    op.create_table(
        "channels",
        _text("skill", sa.ForeignKey("skills.name"), primary_key=True),
        _text("name", primary_key=True),
        _number("number"),
    )
    op.create_table(
        "releases",
        _text("release_id", primary_key=True),
        _text("skill", sa.ForeignKey("skills.name"), index=True),
        _number("number"),
        _text("channel"),
        sa.Column("if_none", sa.Boolean(), nullable=False),
        _text("asked_by"),
        _moment("asked_at"),
        _text("state", index=True),
        _text("reason", length=2000),
        _document("gate", nullable=True),
        _moment("finished_at", nullable=True),
        *_lease(),
    )


def _blobs() -> None:
    op.create_table(
        "discards",
        _text("region", primary_key=True),
        _text("digest", primary_key=True),
        _moment("discarded_at", index=True),
        _moment("taken_at", nullable=True),
    )
    op.create_table(
        "uploads",
        _text("upload_id", primary_key=True),
        _text("owner"),
        _text("organisation", sa.ForeignKey("organisations.name")),
        _text("region"),
        _text("digest"),
        _number("size"),
        _number("part_size"),
        _document("purpose"),
        _moment("expires_at", index=True),
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        _text("name", primary_key=True),
        _text("organisation", sa.ForeignKey("organisations.name")),
        _text("visibility"),
        _moment("updated_at"),
    )
    op.create_table(
        "task_versions",
        _text("task", sa.ForeignKey("tasks.name"), primary_key=True),
        _number("number", primary_key=True),
        _text("digest", unique=True),
        _text("bundle", index=True),
        _number("size"),
        _text("signature"),
        _text("title", length=500),
        _text("summary", length=2000),
        _text("licence"),
        _text("readme", length=20_000),
        _text("published_by"),
        _moment("created_at"),
        _text("state", index=True),
        _document("checked", nullable=True),
        _moment("checked_at", nullable=True),
        *_lease(),
    )


def _campaigns() -> None:
    op.create_table("hub", _number("id", primary_key=True), _text("public_key"))
    op.create_table(
        "campaigns",
        _text("campaign_id", primary_key=True),
        _text("skill", sa.ForeignKey("skills.name")),
        _text("state"),
        _text("reason", length=2000),
        _document("order"),
        _moment("created_at"),
        *_lease(),
    )
    op.create_table(
        "rounds",
        _text("round_id", primary_key=True),
        _text("campaign_id", sa.ForeignKey("campaigns.campaign_id")),
        _number("number"),
        _text("state", index=True),
        _text("reason", length=2000),
        _text("base"),
        _moment("opened_at"),
        _moment("deadline"),
        _text("candidate", nullable=True, index=True),
        _document("gate", nullable=True),
        _document("metrics"),
        _text("optimiser_before", nullable=True),
        _text("optimiser_after", nullable=True),
        _text("device", nullable=True),
        _document("root", nullable=True),
        sa.UniqueConstraint("campaign_id", "number"),
    )


def _deltas() -> None:
    op.create_table(
        "deltas",
        _text("digest", primary_key=True),
        _text("round_id", sa.ForeignKey("rounds.round_id")),
        _text("robot_id", sa.ForeignKey("robots.robot_id")),
        _number("samples"),
        _number("size"),
        sa.Column("norm", sa.Double(), nullable=False),
        _text("codec"),
        _document("metrics"),
        _text("signature"),
        _moment("received_at", index=True),
        _number("staleness"),
        sa.UniqueConstraint("round_id", "robot_id"),
    )
    op.create_table(
        "assignments",
        _text("round_id", sa.ForeignKey("rounds.round_id"), primary_key=True),
        _text("robot_id", sa.ForeignKey("robots.robot_id"), primary_key=True),
        _moment("assigned_at"),
    )


def _scores() -> None:
    op.create_table(
        "scores",
        _text("digest", sa.ForeignKey("versions.digest"), primary_key=True),
        _text("skill", sa.ForeignKey("skills.name")),
        _number("number"),
        _text("task"),
        _text("state", index=True),
        _text("reason", length=2000),
        _moment("wanted_at"),
        _text("task_digest", nullable=True),
        _text("plan", length=1000, nullable=True),
        _document("report", nullable=True),
        _text("replay", nullable=True),
        _moment("scored_at", nullable=True),
        *_lease(),
    )


def _events_and_webhooks() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        _text("kind"),
        _moment("at"),
        _text("skill", nullable=True),
        _text("organisation", nullable=True),
        _document("data"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhooks",
        _text("webhook_id", primary_key=True),
        _text("organisation"),
        _text("url", length=2000),
        _document("kinds"),
        _text("secret", length=256),
        _moment("created_at"),
        _number("position"),
        _number("failures"),
        _text("trouble", length=500),
        _moment("resting_until", nullable=True),
        _moment("last_delivered_at", nullable=True),
        _moment("trial_asked_at", nullable=True),
        _document("trial_report", nullable=True),
        *_lease(),
    )
    op.create_table(
        "undelivered",
        _text("webhook_id", sa.ForeignKey("webhooks.webhook_id"), primary_key=True),
        _number("event_id", primary_key=True),
        _number("attempts"),
        _moment("last_attempt_at"),
        _moment("due_at", nullable=True),
        _text("reason", length=500),
    )


def _withdrawals() -> None:
    op.create_table(
        "withdrawals",
        _text("withdrawal_id", primary_key=True),
        _text("robot_id", sa.ForeignKey("robots.robot_id"), unique=True),
        _text("state", index=True),
        _moment("requested_at"),
        _document("plan"),
        _document("report"),
        *_lease(),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        _number("number", primary_key=True),
        _moment("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _document("details"),
        _text("previous", unique=True),
        _text("hash"),
    )
    op.create_table(
        "audit_head",
        _number("id", primary_key=True),
        _number("number"),
        _text("hash"),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in AUDIT_ON_POSTGRESQL if is_postgresql else AUDIT_ON_SQLITE:
        op.execute(statement)


def _lease() -> list[sa.Column[Any]]:
    return [
        _text("lease_holder"),
        _number("lease_number"),
        _moment("lease_taken_at", nullable=True),
        _moment("lease_expires_at", nullable=True),
        _text("lease_note", length=2000),
    ]


def _text(name: str, *keys: sa.ForeignKey, length: int = 128, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.String(length), *keys, **{"nullable": False, **options})


def _number(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, **{"nullable": False, **options})


def _moment(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), **{"nullable": False, **options})


def _document(name: str, **options: Any) -> sa.Column[Any]:
    return sa.Column(name, sa.JSON(none_as_null=True), **{"nullable": False, **options})
