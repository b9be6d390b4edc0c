"""The table of attestations: one row for each envelope that vouches for a version."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base
from skills.predicates import Kind

__all__ = ["AttestationRow"]


class AttestationRow(Base):
    """Names an envelope in the store of the skill's region, and the version that it speaks of.

    `signer` is the public key whose signature the hub has verified.
    """

    __tablename__ = "attestations"
    __table_args__ = (
        ForeignKeyConstraint(["skill", "number"], ["versions.skill", "versions.number"]),
        Index("ix_attestations_skill_number", "skill", "number"),
    )
    digest: Mapped[str] = mapped_column(primary_key=True)
    skill: Mapped[str]
    number: Mapped[int]
    kind: Mapped[Kind] = mapped_column(String(128))
    signer: Mapped[str]
    size: Mapped[int]
    made_at: Mapped[datetime]
