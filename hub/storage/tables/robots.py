"""Tables of robots, and of what they asked last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["EnrolmentTokenRow", "InterestRow", "NonceRow", "RobotRow"]


class EnrolmentTokenRow(Base):
    """A one-time token by hash; `robot_id` once it is used; `hall_robots` as in `RobotRow`.

    `issued_by` is who made it, as in the audit log; empty where an older hub did not say.
    """

    __tablename__ = "enrolment_tokens"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str]
    expires_at: Mapped[datetime]
    robot_id: Mapped[str | None]
    hall_robots: Mapped[int | None]
    issued_by: Mapped[str] = mapped_column(default="", server_default="")


class RobotRow(Base):
    """A robot and its public key; `lost_at` while it is missed, `closed_at` since it was withdrawn.

    `abilities` is what it said that it serves, None before it did; `refusal` what it would not take last. Of
    a hall, `hall_robots` is for how many robots its deltas may count at most; None: it is a robot.
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
    refusal: Mapped[dict[str, Any] | None]
    hall_robots: Mapped[int | None]


class NonceRow(Base):
    """A nonce that a robot has used; rows older than the clock skew are pruned."""

    __tablename__ = "nonces"
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    used_at: Mapped[datetime] = mapped_column(index=True)


class InterestRow(Base):
    """When a robot last asked for work on a skill."""

    __tablename__ = "interests"
    __table_args__ = (Index("ix_interests_skill_asked_at", "skill", "asked_at"),)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    skill: Mapped[str] = mapped_column(primary_key=True)
    asked_at: Mapped[datetime]
