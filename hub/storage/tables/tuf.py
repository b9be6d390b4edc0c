"""Tables of signed metadata: which roles there are, and the files that were signed for them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["MetadataRoleRow", "MetadataRow"]


class MetadataRoleRow(Base):
    """A role, and whether what it describes has changed since.

    `organisation` is empty for those of the hub itself; `shown` whether everybody may read it. One with a
    `skill` holds that skill's stable pointer and is signed by the organisation's own `key`; where that is
    empty the hub's word counts again, and the role stands for nothing.
    """

    __tablename__ = "metadata_roles"
    role: Mapped[str] = mapped_column(primary_key=True)
    organisation: Mapped[str] = mapped_column(default="")
    shown: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=0)
    changed: Mapped[bool] = mapped_column(default=True)
    due_at: Mapped[datetime | None]
    skill: Mapped[str] = mapped_column(default="", server_default="")
    key: Mapped[str] = mapped_column(default="", server_default="")


class MetadataRow(Base):
    """A signed file, as it is sent; `digest` is that of its bytes."""

    __tablename__ = "metadata"
    role: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(128), index=True)
