"""Tables of the larger hall that this one joined: membership, what may leave, rounds, what came down."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["AdoptedRow", "HallRoundRow", "MembershipRow", "SharedRow"]


class MembershipRow(Base):
    """The one hall that this one joined; `id` is always 1.

    `identity` and `first_root` are what a robot's folder has, so that a backup has them; `path` are the ids
    of that hall and of those above it, as last heard. `refusal` says why nothing is done, if so.
    """

    __tablename__ = "membership"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hub: Mapped[str] = mapped_column(String(2000))
    identity: Mapped[dict[str, Any]]
    first_root: Mapped[str] = mapped_column(String(512_000))
    path: Mapped[list[Any]] = mapped_column(JSON)
    refusal: Mapped[str] = mapped_column(String(2000))
    joined_at: Mapped[datetime]
    heard_at: Mapped[datetime]


class SharedRow(Base):
    """A skill of which something may leave, and how its rounds are run here; without a row nothing leaves."""

    __tablename__ = "shared_skills"
    skill: Mapped[str] = mapped_column(primary_key=True)
    plan: Mapped[dict[str, Any]]
    changed_at: Mapped[datetime]


class HallRoundRow(Base):
    """The journal of one of the larger hall's rounds: what was asked, by which campaign, and what came of it.

    `delta` is the digest of what was handed up, as it is made again from the campaign's rounds.
    """

    __tablename__ = "hall_rounds"
    round_id: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(index=True)
    assignment: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    campaign_id: Mapped[str | None] = mapped_column(ForeignKey("campaigns.campaign_id"))
    delta: Mapped[str | None]
    robots: Mapped[int]
    samples: Mapped[int]
    changed_at: Mapped[datetime]


class AdoptedRow(Base):
    """A version of the larger hall, by its digest there, and which of this hall's has its numbers.

    `brought_down`: it was to become stable here; what the gate made of that is in the release.
    """

    __tablename__ = "adopted"
    __table_args__ = (ForeignKeyConstraint(["skill", "number"], ["versions.skill", "versions.number"]),)
    digest: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str]
    number: Mapped[int]
    upper: Mapped[int]
    brought_down: Mapped[bool]
    adopted_at: Mapped[datetime]
