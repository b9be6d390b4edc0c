"""The table of files that are being brought in parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["DiscardRow", "UploadRow"]


class UploadRow(Base):
    """A large file that is being brought in parts of `part_size` bytes; `purpose` as it was announced.

    The parts lie in the region's store under the upload's id, which follows from owner, purpose and digest.
    """

    __tablename__ = "uploads"
    upload_id: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    organisation: Mapped[str] = mapped_column(ForeignKey("organisations.name"))
    region: Mapped[str]
    digest: Mapped[str]
    size: Mapped[int]
    part_size: Mapped[int]
    purpose: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class DiscardRow(Base):
    """A blob to be deleted, unless a row names it then; `taken_at` since somebody is at it."""

    __tablename__ = "discards"
    region: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    discarded_at: Mapped[datetime] = mapped_column(index=True)
    taken_at: Mapped[datetime | None]
