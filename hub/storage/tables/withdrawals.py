"""The table of withdrawals."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from hub.storage.tables.base import Base, Leased

__all__ = ["WithdrawalRow"]


class WithdrawalRow(Leased, Base):
    """A robot is withdrawn: what is left to do, as `hub.withdrawals.plan` has it, and the report so far.

    Whoever works on it holds the lease.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (Index("ix_withdrawals_requested_at_withdrawal_id", "requested_at", "withdrawal_id"),)
    withdrawal_id: Mapped[str] = mapped_column(primary_key=True)
    robot_id: Mapped[str] = mapped_column(ForeignKey("robots.robot_id"), unique=True)
    state: Mapped[str] = mapped_column(index=True)
    requested_at: Mapped[datetime]
    plan: Mapped[dict[str, Any]]
    report: Mapped[dict[str, Any]]
