"""Nonces: each counts once, in all processes and for good. A robot is answered after its nonce is durable.

Requests that come at once have theirs written in one transaction, see `hub.together`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.database import Database, insert_of
from hub.models import NonceRow, RobotRow
from hub.together import Together
from skills.errors import UnauthorizedError

__all__ = ["Nonces"]

SWEEPS = 10
"""So often within the time that a nonce is kept those that are too old are deleted."""

Use = tuple[str, str]
"""Robot and nonce."""


class Nonces:
    """What robots have used; a nonce is kept for `kept`, after which its request is too old anyway."""

    def __init__(self, database: Database, clock: Clock, kept: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._swept = datetime.min.replace(tzinfo=UTC)
        self._together = Together(self._write)

    def use(self, robot_id: str, nonce: str) -> None:
        """Use up a nonce, and note that the robot was there.

        Raises:
            UnauthorizedError: It was used before, or the robot is no longer enrolled.
        """
        refusal = self._together.do((robot_id, nonce))
        if refusal is not None:
            raise refusal

    def _write(self, uses: Sequence[Use]) -> list[UnauthorizedError | None]:
        now = self._clock()
        with self._database.write() as session:
            enrolled = _lock_robots(session, {robot_id for robot_id, _ in uses})
            fresh = _insert(session, {use for use in uses if use[0] in enrolled}, now)
            session.execute(update(RobotRow).where(RobotRow.robot_id.in_(enrolled)).values(last_seen_at=now))
            if now - self._swept >= self._kept / SWEEPS:
                session.execute(delete(NonceRow).where(NonceRow.used_at < now - self._kept))
                self._swept = now
        return [_refusal(use, enrolled, fresh) for use in uses]


def _lock_robots(session: Session, robot_ids: set[str]) -> list[str]:
    """Those that are enrolled; in one order, so that two processes never wait for each other in a circle."""
    those = select(RobotRow.robot_id).where(RobotRow.robot_id.in_(robot_ids))
    return list(session.scalars(those.order_by(RobotRow.robot_id).with_for_update(key_share=True)))


def _insert(session: Session, uses: set[Use], now: datetime) -> set[Use]:
    """Write these down; returns those that were not there."""
    if not uses:
        return set()
    rows = [{"robot_id": robot_id, "nonce": nonce, "used_at": now} for robot_id, nonce in sorted(uses)]
    statement = insert_of(session, NonceRow).on_conflict_do_nothing()
    written = session.execute(statement.returning(NonceRow.robot_id, NonceRow.nonce), rows)
    return {(robot_id, nonce) for robot_id, nonce in written}


def _refusal(use: Use, enrolled: Collection[str], fresh: set[Use]) -> UnauthorizedError | None:
    if use in fresh:
        fresh.discard(use)  # the same one twice at once counts once
        return None
    if use[0] in enrolled:
        return UnauthorizedError(
            "this request was made before.",
            where="Zunft-Nonce",
            remedy="Sign each request anew, repeated ones too.",
            code="replayed_request",
        )
    return UnauthorizedError(
        "this robot is no longer enrolled here.",
        where="Zunft-Robot",
        remedy="Join this hub again: zunft robot join.",
        code="unknown_robot",
    )
