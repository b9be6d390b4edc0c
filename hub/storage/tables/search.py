"""What things are found by, when somebody looks for words."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base

__all__ = ["SearchTextRow"]


class SearchTextRow(Base):
    """Of one thing, in lower case: its names, and the rest that is said of it.

    The database keeps an index of the words beside it, see `hub.storage.word_search`.
    """

    __tablename__ = "search_texts"
    __table_args__ = (UniqueConstraint("noun", "subject"),)
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    noun: Mapped[str]
    subject: Mapped[str]
    names: Mapped[str] = mapped_column(Text())
    rest: Mapped[str] = mapped_column(Text())
