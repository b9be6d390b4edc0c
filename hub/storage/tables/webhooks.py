"""Tables of webhooks, and of what they have not been told yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased

__all__ = ["UndeliveredRow", "WebhookRow"]


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
