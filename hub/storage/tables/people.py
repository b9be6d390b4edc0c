"""Tables of organisations, users, and how users prove who they are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base
from skills.messages.skills import Visibility

__all__ = ["IdentityRow", "OrganisationRow", "SessionRow", "UserRow", "UserTokenRow"]


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
