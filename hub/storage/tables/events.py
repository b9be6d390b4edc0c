"""Tables of what happened, and of whose hub this is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["AuditHeadRow", "AuditRow", "EventRow", "HubRow"]


class HubRow(Base):
    """Which hub this database is: its one row has the public key that all its processes sign with.

    `gate_key` is the public half of the key with which the gate signs what it found.
    `root_signature` is that key's on the first root, for robots that joined before there was one.
    """

    __tablename__ = "hub"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    public_key: Mapped[str]
    gate_key: Mapped[str | None]
    root_signature: Mapped[str] = mapped_column(default="", server_default="")


class AuditRow(Base):
    """An entry of the audit log; triggers of the database refuse to change or delete one."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_actor_number", "actor", "number"),
        Index("ix_audit_action_number", "action", "number"),
        Index("ix_audit_subject_number", "subject", "number"),
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    details: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(unique=True)
    hash: Mapped[str]


class AuditHeadRow(Base):
    """Where the audit log ends: its one row has the number and hash of the last entry."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str]


class EventRow(Base):
    """What happened, in order; written in the transaction that made it happen.

    Who may see the skill may see its events; `organisation` is that of the robot that the event tells of.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_kind_id", "kind", "id"),
        Index("ix_events_skill_id", "skill", "id"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    kind: Mapped[str]
    at: Mapped[datetime]
    skill: Mapped[str | None]
    organisation: Mapped[str | None]
    data: Mapped[dict[str, Any]]
