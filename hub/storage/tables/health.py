"""What robots tell of their machines: sums of jobs that were counted, and how each finds itself."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["HealthRow"]


class HealthRow(Base):
    """One robot's part in one skill.

    `counted` is the number of its last job that counts; `sums` of all that do: `count`, `mean`, `scatter` by
    rows. `state` is a `HealthState`, a claim; None of a robot that does not say. `worn_since` is its own.
    """

    __tablename__ = "health"
    __table_args__ = (
        Index("ix_health_skill_embodiment", "skill", "embodiment"),
        Index("ix_health_worn_since", "worn_since"),
    )
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), primary_key=True)
    embodiment: Mapped[str]
    figures: Mapped[dict[str, Any]]
    counted: Mapped[int]
    sums: Mapped[dict[str, Any]]
    state: Mapped[dict[str, Any] | None]
    worn_since: Mapped[datetime | None]
    heard_at: Mapped[datetime]
