"""Tables of published tasks; their archives lie in the object store under the digests named here."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased
from skills.messages.skills import Visibility
from skills.messages.tasks import TaskState

__all__ = ["README_LENGTH", "TaskRow", "TaskVersionRow"]

README_LENGTH = 20_000


class TaskRow(Base):
    """A task's name, whose it is, and who may see it once a version is listed."""

    __tablename__ = "tasks"
    __table_args__ = (Index("ix_tasks_organisation_name", "organisation", "name"),)
    name: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.name"))
    visibility: Mapped[Visibility] = mapped_column(String(128))
    updated_at: Mapped[datetime]


class TaskVersionRow(Leased, Base):
    """One published bundle, and what the checker found.

    Whoever checks it holds the lease. `digest` is the archive's, `bundle` that of its files.
    """

    __tablename__ = "task_versions"
    __table_args__ = (
        Index("ix_task_versions_published_by_task", "published_by", "task"),
        Index("ix_task_versions_created_at", "created_at"),
    )
    task: Mapped[str] = mapped_column(ForeignKey("tasks.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    bundle: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    signature: Mapped[str]
    title: Mapped[str] = mapped_column(String(500))
    summary: Mapped[str] = mapped_column(String(2000))
    licence: Mapped[str]
    readme: Mapped[str] = mapped_column(String(README_LENGTH))
    published_by: Mapped[str]
    created_at: Mapped[datetime]
    state: Mapped[TaskState] = mapped_column(String(128), index=True)
    checked: Mapped[dict[str, Any] | None]
    checked_at: Mapped[datetime | None]
