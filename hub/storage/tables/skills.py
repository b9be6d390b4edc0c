"""Tables of skills, their versions and channels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased
from skills.messages.skills import ChannelName, Visibility

__all__ = ["ChannelRow", "ReleaseRow", "SkillRow", "VersionRow"]


class SkillRow(Base):
    """A name in the catalogue, whose it is, and who may see it: `hub.access.visibility` says what follows.

    `held_by` is the last withdrawal that has still to make versions again; meanwhile no round is opened.
    `minimum` is the success that a version needs to become stable; None: more than doing nothing. `contract`
    is a digest of what a robot must sense and obey, by `hub.catalogue.fitting`.
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
    contract: Mapped[str] = mapped_column(default="", server_default="")


class VersionRow(Base):
    """One published file of a skill; score and gate report are added when it is measured.

    `published_by` is who brought it, as in the audit log. A withdrawn one is offered to nobody; the file of a
    purged one is gone. `manifest_digest` is what signed metadata say of the manifest.
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
    manifest_digest: Mapped[str] = mapped_column(server_default="")
    published_by: Mapped[str]
    created_at: Mapped[datetime]
    score: Mapped[dict[str, Any] | None]
    gate: Mapped[dict[str, Any] | None]
    withdrawn_at: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]


class ChannelRow(Base):
    """A named pointer at a version; `counter` rises with each move, and none goes below `lowest` again.

    `kept` has the numbers of versions that robots of some embodiments stay with, by embodiment.
    """

    __tablename__ = "channels"
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int]
    counter: Mapped[int] = mapped_column(default=0, server_default="0")
    lowest: Mapped[int] = mapped_column(default=1, server_default="1")
    kept: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")


class ReleaseRow(Leased, Base):
    """Somebody wants a channel to point at a version. Whoever measures that version holds the lease.

    `if_none`: only as long as the channel points at nothing. `words`: why, as somebody typed it. `key`: the
    organisation's own under which it is to be released, where that is said before the skill has one.
    """

    __tablename__ = "releases"
    release_id: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str] = mapped_column(ForeignKey("skills.name"), index=True)
    number: Mapped[int]
    channel: Mapped[ChannelName] = mapped_column(String(128))
    if_none: Mapped[bool]
    asked_by: Mapped[str]
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    words: Mapped[str | None] = mapped_column(String(500))
    key: Mapped[str] = mapped_column(default="", server_default="")
    gate: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None]
