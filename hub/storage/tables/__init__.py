"""Tables of the hub's database; times are UTC, documents are JSON.

Blobs are not here: skills, deltas and optimiser states lie in the object store under the digests named here.
The schema is made by the migrations; a test holds both to each other.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from skills.messages import Channel, Visibility

__all__ = [
    "NOTE_LENGTH",
    "AssignmentRow",
    "AuditHeadRow",
    "AuditRow",
    "Base",
    "CampaignRow",
    "ChannelRow",
    "DeltaRow",
    "DiscardRow",
    "EnrolmentTokenRow",
    "EventRow",
    "HubRow",
    "IdentityRow",
    "InterestRow",
    "Leased",
    "Moment",
    "NonceRow",
    "OrganisationRow",
    "ReleaseRow",
    "RobotRow",
    "RoundRow",
    "SessionRow",
    "SkillRow",
    "UndeliveredRow",
    "UploadRow",
    "UserRow",
    "UserTokenRow",
    "VersionRow",
    "WebhookRow",
    "WithdrawalRow",
]

NOTE_LENGTH = 2000


class Moment(TypeDecorator[datetime]):
    """A point in time. SQLite forgets the zone, so UTC is put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as it stands
        datetime: Moment,
        dict[str, Any]: JSON(none_as_null=True),
        str: String(128),
        int: BigInteger,
    }


class Leased:
    """Columns of rows that are worked on in the background, see `hub.queue.leases`; no times at first."""

    __tablename__: str
    lease_holder: Mapped[str] = mapped_column(default="")
    lease_number: Mapped[int] = mapped_column(default=0)
    lease_taken_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    lease_note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="")


class OrganisationRow(Base):
    """Who owns users, robots and skills; limits are None where there are none. Never deleted.

    `visibility` is that of new skills, `stored_bytes` what its skills and the deltas for them take up.
    """

    __tablename__ = "organisations"
    name: Mapped[str] = mapped_column(primary_key=True)
    region: Mapped[str]
    visibility: Mapped[Visibility] = mapped_column(String(128))
    robots_limit: Mapped[int | None]
    storage_limit: Mapped[int | None]
    uploads_limit: Mapped[int | None]
    delta_limit: Mapped[int | None]
    skill_limit: Mapped[int | None]
    campaigns_limit: Mapped[int | None]
    stored_bytes: Mapped[int]
    created_at: Mapped[datetime]


class UserRow(Base):
    """A person or program; `hub.access.authenticator` says what its role may.

    Who signs in at an issuer may have no token.
    """

    __tablename__ = "users"
    __table_args__ = (Index("ix_users_organisation_name", "organisation", "name"),)
    name: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    organisation: Mapped[str]
    created_at: Mapped[datetime]


class UserTokenRow(Base):
    """An API token of a user, of which only the SHA-256 is kept; `expires_at` None: it does not expire."""

    __tablename__ = "user_tokens"
    __table_args__ = (UniqueConstraint("user_name", "name"),)
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_name: Mapped[str] = mapped_column(ForeignKey("users.name"))
    name: Mapped[str]
    scopes: Mapped[list[str]] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class IdentityRow(Base):
    """Who a user is at an OpenID Connect issuer: names there may change hands, subjects do not."""

    __tablename__ = "identities"
    issuer: Mapped[str] = mapped_column(String(255), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), unique=True)


class SessionRow(Base):
    """A user's session in a browser, by the SHA-256 of the secret in its cookie.

    It goes with the token that opened it, if there was one, whoever deletes that.
    """

    __tablename__ = "sessions"
    secret_hash: Mapped[str] = mapped_column(primary_key=True)
    user: Mapped[str] = mapped_column(ForeignKey("users.name"), index=True)
    token_hash: Mapped[str | None] = mapped_column(
        ForeignKey("user_tokens.token_hash", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class EnrolmentTokenRow(Base):
    """A one-time token by hash; `robot_id` once it is used."""

    __tablename__ = "enrolment_tokens"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str]
    expires_at: Mapped[datetime]
    robot_id: Mapped[str | None]


class RobotRow(Base):
    """A robot and its public key; `lost_at` while it is missed, `closed_at` since it was withdrawn.

    `abilities` is what it said that it serves, None before it did.
    """

    __tablename__ = "robots"
    __table_args__ = (
        Index("ix_robots_enrolled_at_robot_id", "enrolled_at", "robot_id"),
        Index("ix_robots_organisation_enrolled_at_robot_id", "organisation", "enrolled_at", "robot_id"),
        Index("ix_robots_embodiment_enrolled_at_robot_id", "embodiment", "enrolled_at", "robot_id"),
    )
    robot_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    organisation: Mapped[str]
    embodiment: Mapped[str]
    public_key: Mapped[str] = mapped_column(unique=True)
    enrolled_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    abilities: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)


class NonceRow(Base):
    """A nonce that a robot has used; rows older than the clock skew are pruned."""

    __tablename__ = "nonces"
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)


class SkillRow(Base):
    """A name in the catalogue, whose it is, and who may see it: `hub.access.visibility` says what follows.

    `held_by` is the last withdrawal that has still to make versions again; meanwhile no round is opened.
    `minimum` is the success that a version needs to become stable; None: more than doing nothing.
    """

    __tablename__ = "skills"
    __table_args__ = (
        Index("ix_skills_updated_at_name", "updated_at", "name"),
        Index("ix_skills_organisation_name", "organisation", "name"),
        Index("ix_skills_task_name", "task", "name"),
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str]
    visibility: Mapped[Visibility] = mapped_column(String(128))
    task: Mapped[str]
    summary: Mapped[str] = mapped_column(String(2000))
    updated_at: Mapped[datetime]
    held_by: Mapped[str | None]
    minimum: Mapped[float | None]


class VersionRow(Base):
    """One published file of a skill; score and gate report are added when it is measured.

    `published_by` is who brought it, as in the audit log. A withdrawn one is offered to nobody; the file of a
    purged one is gone.
    """

    __tablename__ = "versions"
    __table_args__ = (
        Index("ix_versions_published_by_skill", "published_by", "skill"),
        Index("ix_versions_created_at", "created_at"),
    )
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int]
    signature: Mapped[str]
    manifest: Mapped[dict[str, Any]]
    published_by: Mapped[str]
    created_at: Mapped[datetime]
    score: Mapped[dict[str, Any] | None]
    gate: Mapped[dict[str, Any] | None]
    withdrawn_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]


class ChannelRow(Base):
    """A named pointer at a version."""

    __tablename__ = "channels"
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]


class ReleaseRow(Leased, Base):
    """Somebody wants a channel to point at a version. Whoever measures that version holds the lease.

    `if_none`: only as long as the channel points at nothing.
    """

    __tablename__ = "releases"
    release_id: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), index=True)
    number: Mapped[int]
    channel: Mapped[Channel] = mapped_column(String(128))
    if_none: Mapped[bool]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    gate: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None]


class CampaignRow(Leased, Base):
    """A standing order; `order` is the request as it was accepted. Who moves it on holds the lease."""

    __tablename__ = "campaigns"
    __table_args__ = (
        Index("ix_campaigns_created_at_campaign_id", "created_at", "campaign_id"),
        Index("ix_campaigns_skill_created_at_campaign_id", "skill", "created_at", "campaign_id"),
        Index("ix_campaigns_state_created_at_campaign_id", "state", "created_at", "campaign_id"),
    )
    campaign_id: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"))
    state: Mapped[str]
    reason: Mapped[str] = mapped_column(String(2000))
    order: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


class HubRow(Base):
    """Which hub this database is: its one row has the public key that all its processes sign with."""

    __tablename__ = "hub"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_key: Mapped[str]


class RoundRow(Base):
    """The journal of one round: everything that an engine needs to go on from here.

    `optimiser_before` and `optimiser_after` name blobs of the server optimiser's state; `device` says what
    merged, and `root` how far each delta was trusted, for whoever merges again.
    """

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("campaign_id", "number"),)
    round_id: Mapped[str] = mapped_column(primary_key=True)
    campaign_id: Mapped[str] = mapped_column(ForeignKey("campaigns.campaign_id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    base: Mapped[str]
    opened_at: Mapped[datetime]
    deadline: Mapped[datetime]
    candidate: Mapped[str | None] = mapped_column(index=True)
    gate: Mapped[dict[str, Any] | None]
    metrics: Mapped[dict[str, Any]]
    optimiser_before: Mapped[str | None]
    optimiser_after: Mapped[str | None]
    device: Mapped[str | None]
    root: Mapped[dict[str, Any] | None]


class DeltaRow(Base):
    """An admitted delta. One for each robot and round: that is what makes it count once.

    `round_id` is the round in which it counts, `staleness` rounds after the one it was made for.
    """

    __tablename__ = "deltas"
    __table_args__ = (UniqueConstraint("round_id", "robot_id"),)
    digest: Mapped[str] = mapped_column(primary_key=True)
    round_id: Mapped[str] = mapped_column(ForeignKey("rounds.round_id"))
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"))
    samples: Mapped[int]
    size: Mapped[int]
    norm: Mapped[float]
    codec: Mapped[str]
    metrics: Mapped[dict[str, Any]]
    signature: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(index=True)
    staleness: Mapped[int] = mapped_column(default=0)


class AssignmentRow(Base):
    """A robot was given this round to work on: the round waits for it."""

    __tablename__ = "assignments"
    round_id: Mapped[str] = mapped_column(ForeignKey("rounds.round_id"), primary_key=True)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    assigned_at: Mapped[datetime]


class InterestRow(Base):
    """When a robot last asked for work on a skill."""

    __tablename__ = "interests"
    __table_args__ = (Index("ix_interests_skill_asked_at", "skill", "asked_at"),)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    skill: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]


class UploadRow(Base):
    """A large file that is being brought in parts of `part_size` bytes; `purpose` as it was announced.

    The parts lie in the region's store under the upload's id, which follows from owner, purpose and digest.
    """

    __tablename__ = "uploads"
    upload_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.name"))
    region: Mapped[str]
    digest: Mapped[str]
    size: Mapped[int]
    part_size: Mapped[int]
    purpose: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DiscardRow(Base):
    """A blob to be deleted, unless a row names it then; `taken_at` since somebody is at it."""

    __tablename__ = "discards"
    region: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    discarded_at: Mapped[datetime] = mapped_column(index=True)
    taken_at: Mapped[datetime | None]


class AuditRow(Base):
    """An entry of the audit log; triggers of the database refuse to change or delete one."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor_number", "actor", "number"),
        Index("ix_audit_action_number", "action", "number"),
        Index("ix_audit_subject_number", "subject", "number"),
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str]


class AuditHeadRow(Base):
    """Where the audit log ends: its one row has the number and hash of the last entry."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str]


class EventRow(Base):
    """What happened, in order; written in the transaction that made it happen.

    Who may see the skill may see its events; `organisation` is that of the robot that the event tells of.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_kind_id", "kind", "id"),
        Index("ix_events_skill_id", "skill", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime]
    skill: Mapped[str | None]
    organisation: Mapped[str | None]
    data: Mapped[dict[str, Any]]


class WebhookRow(Leased, Base):
    """Somebody who wants to be told, and how far that has come.

    All events up to `position` were delivered, or are in `undelivered`. Whoever sends holds the lease.
    `secret` is sealed by `hub.webhooks.vault`; `failures` are those in a row. A trial that was
    asked for and has no report yet is due.
    """

    __tablename__ = "webhooks"
    __table_args__ = (
        Index("ix_webhooks_organisation_created_at_webhook_id", "organisation", "created_at", "webhook_id"),
    )
    webhook_id: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str]
    url: Mapped[str] = mapped_column(String(2000))
    kinds: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[str] = mapped_column(String(256))
    created_at: Mapped[datetime]
    position: Mapped[int]
    failures: Mapped[int] = mapped_column(default=0)
    trouble: Mapped[str] = mapped_column(String(500), default="")
    resting_until: Mapped[datetime | None]
    last_delivered_at: Mapped[datetime | None]
    trial_asked_at: Mapped[datetime | None]
    trial_report: Mapped[dict[str, Any] | None]


class UndeliveredRow(Base):
    """An event that a webhook did not take: tried again at `due_at`, or a dead letter where that is None."""

    __tablename__ = "undelivered"
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.webhook_id"), primary_key=True)
    event_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempts: Mapped[int]
    last_attempt_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(String(500))


class WithdrawalRow(Leased, Base):
    """A robot is withdrawn: what is left to do, as `hub.withdrawals.plan` has it, and the report so far.

    Whoever works on it holds the lease.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (Index("ix_withdrawals_requested_at_withdrawal_id", "requested_at", "withdrawal_id"),)
    withdrawal_id: Mapped[str] = mapped_column(primary_key=True)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), unique=True)
    state: Mapped[str] = mapped_column(index=True)
    requested_at: Mapped[datetime]
    plan: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
