"""Tables of scores: of versions that are or were stable, of tasks' controllers, and what others measured."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased

__all__ = ["REASON_LENGTH", "SCORE_STATES", "ConfirmationRow", "ControllersRow", "ScoreRow", "ScoreState"]

REASON_LENGTH = 2000
ScoreState = Literal["waiting", "working", "done", "failed"]
SCORE_STATES: tuple[ScoreState, ...] = get_args(ScoreState)


class ScoreRow(Leased, Base):
    """What a version scored by `plan` at the task with `task_digest`; while it waits, what it scored before.

    `plan` is the plan as JSON; `report` is a `hub.workers.job.Scored`, whose replay lies in the region's
    store. Whoever measures holds the lease.
    """

    __tablename__ = "scores"
    __table_args__ = (Index("ix_scores_skill_number", "skill", "number"),)
    digest: Mapped[str] = mapped_column(ForeignKey("versions.digest"), primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"))
    number: Mapped[int]
    task: Mapped[str]
    state: Mapped[ScoreState] = mapped_column(String(128), index=True)
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH))
    wanted_at: Mapped[datetime]
    task_digest: Mapped[str | None]
    plan: Mapped[str | None] = mapped_column(String(1000))
    report: Mapped[dict[str, Any] | None]
    replay: Mapped[str | None]
    scored_at: Mapped[datetime | None]


class ControllersRow(Leased, Base):
    """What a task's controllers scored by `plan` at the task with `task_digest`; or they wait for it.

    `report` is a `hub.workers.job.ScoredControllers`.
    """

    __tablename__ = "controllers"
    task: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[ScoreState] = mapped_column(String(128), index=True)
    reason: Mapped[str] = mapped_column(String(REASON_LENGTH))
    task_digest: Mapped[str | None]
    plan: Mapped[str | None] = mapped_column(String(1000))
    report: Mapped[dict[str, Any] | None]


class ConfirmationRow(Base):
    """What somebody else scored of a version, the newest of each user: `said` is the attested statement.

    `confirmed_by` is the user, as in the audit log; `attestation` the envelope, which has a row of its own.
    """

    __tablename__ = "confirmations"
    __table_args__ = (Index("ix_confirmations_confirmed_at", "confirmed_at"),)
    digest: Mapped[str] = mapped_column(ForeignKey("versions.digest"), primary_key=True)
    confirmed_by: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str]
    attestation: Mapped[str] = mapped_column(ForeignKey("attestations.digest"))
    task_digest: Mapped[str]
    confirmed_at: Mapped[datetime]
    said: Mapped[dict[str, Any]]
