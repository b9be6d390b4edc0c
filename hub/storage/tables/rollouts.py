"""Tables of roll-outs, their journal, what robots report, and what operators call robots by."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased

__all__ = ["ReportRow", "RobotTagRow", "RolloutRow", "RolloutStepRow"]


class RolloutRow(Leased, Base):
    """A roll-out; who looks after it holds the lease.

    `plan` is as it was ordered. `fixed` has what is signed: `rings`, as `skills.rings.RingNote`, and for each
    its `counters` and `opened`, when the new version came to it. `ring` counts from 0.
    """

    __tablename__ = "rollouts"
    __table_args__ = (
        Index("ix_rollouts_created_at_rollout_id", "created_at", "rollout_id"),
        Index("ix_rollouts_skill_created_at_rollout_id", "skill", "created_at", "rollout_id"),
        Index("ix_rollouts_state_created_at_rollout_id", "state", "created_at", "rollout_id"),
    )
    rollout_id: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"))
    old: Mapped[int]
    new: Mapped[int]
    state: Mapped[str]
    ring: Mapped[int]
    reason: Mapped[str] = mapped_column(String(2000))
    plan: Mapped[dict[str, Any]]
    fixed: Mapped[dict[str, Any]]
    started_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class RolloutStepRow(Base):
    """One entry of a roll-out's journal; `known` is what robots said by then, in figures."""

    __tablename__ = "rollout_steps"
    rollout_id: Mapped[str] = mapped_column(ForeignKey("rollouts.rollout_id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    event: Mapped[str]
    state: Mapped[str]
    ring: Mapped[int]
    reason: Mapped[str] = mapped_column(String(2000))
    known: Mapped[dict[str, Any]]


class ReportRow(Base):
    """The last that a robot said of itself and a skill: a claim."""

    __tablename__ = "reports"
    __table_args__ = (Index("ix_reports_skill_version", "skill", "version"),)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), primary_key=True)
    version: Mapped[int]
    said: Mapped[dict[str, Any]]
    heard_at: Mapped[datetime]


class RobotTagRow(Base):
    """What an operator calls a robot by."""

    __tablename__ = "robot_tags"
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), primary_key=True)
    tag: Mapped[str] = mapped_column(primary_key=True)
