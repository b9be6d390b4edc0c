"""Tables of campaigns, rounds and deltas."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased

__all__ = ["AssignmentRow", "CampaignRow", "Costed", "DeltaRow", "RoundRow"]


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


class Costed:
    """Columns that say what something took, see `skills.messages.costs.Cost`."""

    received_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    sent_bytes: Mapped[int] = mapped_column(default=0, server_default="0")
    hub_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")
    robot_seconds: Mapped[float] = mapped_column(default=0.0, server_default="0")
    joules: Mapped[float] = mapped_column(default=0.0, server_default="0")
    counted_joules: Mapped[float] = mapped_column(default=0.0, server_default="0")


class RoundRow(Costed, Base):
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

    `round_id` is the round in which it counts, `staleness` rounds after the one it was made for; so many
    `robots` are behind it, more than one of a hall.
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
    robots: Mapped[int] = mapped_column(default=1, server_default="1")


class AssignmentRow(Base):
    """A robot was given this round to work on: the round waits for it."""

    __tablename__ = "assignments"
    round_id: Mapped[str] = mapped_column(ForeignKey("rounds.round_id"), primary_key=True)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    assigned_at: Mapped[datetime]
