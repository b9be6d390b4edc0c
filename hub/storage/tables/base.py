"""What all tables share: their root, and times that keep their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

__all__ = ["NOTE_LENGTH", "Base", "Leased", "Moment"]


NOTE_LENGTH = 2000


class Moment(TypeDecorator[datetime]):
    """A point in time. SQLite forgets the zone, so UTC is put back when reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as it stands
        datetime: Moment,
        dict[str, Any]: JSON(none_as_null=True),
        str: String(128),
        int: BigInteger,
    }


class Leased:
    """Columns of rows that are worked on in the background, see `hub.queue.leases`; no times at first."""

    __tablename__: str
    lease_holder: Mapped[str] = mapped_column(default="")
    lease_number: Mapped[int] = mapped_column(default=0)
    lease_taken_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    lease_note: Mapped[str] = mapped_column(String(NOTE_LENGTH), default="")
