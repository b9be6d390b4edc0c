"""Nonces: each counts once, in all processes and for good, and many are written down in one transaction.

A robot's request is answered after its nonce is durable. A transaction ends with a write to the disk, which
takes as long for one nonce as for a hundred: requests that come while one is being written wait and are
written together.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.database import Database
from hub.models import NonceRow, RobotRow
from skills.errors import UnauthorizedError

__all__ = ["Nonces"]

SWEEPS = 10
"""So often within the time that a nonce is kept those that are too old are deleted."""


@dataclass(eq=False)
class _Use:
    """One request that waits for its nonce to be written: `woken` when it is, or when its turn has come."""

    robot_id: str
    nonce: str
    written: bool = False
    refusal: Exception | None = None
    woken: threading.Event = field(default_factory=threading.Event)


class Nonces:
    """What robots have used; a nonce is kept for `kept`, after which its request is too old anyway."""

    def __init__(self, database: Database, clock: Clock, kept: timedelta) -> None:
        self._database = database
        self._clock = clock
        self._kept = kept
        self._swept = datetime.min.replace(tzinfo=clock().tzinfo)
        self._waiting: list[_Use] = []
        self._is_writing = False
        self._queue = threading.Lock()

    def use(self, robot_id: str, nonce: str) -> None:
        """Use up a nonce, and note that the robot was there.

        Raises:
            UnauthorizedError: It was used before, or the robot is no longer enrolled.
        """
        mine = _Use(robot_id, nonce)
        with self._queue:
            self._waiting.append(mine)
            is_first, self._is_writing = not self._is_writing, True
        if not is_first:
            mine.woken.wait()
        if not mine.written:  # it is this one's turn, and it writes for all that wait
            self._write_waiting()
        if mine.refusal is not None:
            raise mine.refusal

    def _write_waiting(self) -> None:
        with self._queue:
            uses, self._waiting = self._waiting, []
        try:
            self._write(uses)
        except Exception as error:  # noqa: BLE001 - each raises it for itself
            for use in uses:
                use.refusal = error
        for use in uses:
            use.written = True
            use.woken.set()
        with self._queue:
            self._is_writing = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()

    def _write(self, uses: Sequence[_Use]) -> None:
        now = self._clock()
        with self._database.write() as session:
            enrolled = _lock_robots(session, {use.robot_id for use in uses})
            fresh = _insert(
                session, {(use.robot_id, use.nonce) for use in uses if use.robot_id in enrolled}, now
            )
            session.execute(update(RobotRow).where(RobotRow.robot_id.in_(enrolled)).values(last_seen_at=now))
            if now - self._swept >= self._kept / SWEEPS:
                session.execute(delete(NonceRow).where(NonceRow.used_at < now - self._kept))
                self._swept = now
        for use in uses:
            if (use.robot_id, use.nonce) in fresh:
                fresh.discard((use.robot_id, use.nonce))  # the same one twice at once counts once
            else:
                use.refusal = _refusal(enrolled=use.robot_id in enrolled)


def _lock_robots(session: Session, robot_ids: set[str]) -> list[str]:
    """Those that are enrolled; in one order, so that two processes never wait for each other in a circle."""
    those = select(RobotRow.robot_id).where(RobotRow.robot_id.in_(robot_ids))
    return list(session.scalars(those.order_by(RobotRow.robot_id).with_for_update()))


def _insert(session: Session, pairs: set[tuple[str, str]], now: datetime) -> set[tuple[str, str]]:
    """Write these down; returns those that were not there."""
    if not pairs:
        return set()
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(NonceRow).on_conflict_do_nothing()
    rows = [{"robot_id": robot_id, "nonce": nonce, "used_at": now} for robot_id, nonce in sorted(pairs)]
    written = session.execute(statement.returning(NonceRow.robot_id, NonceRow.nonce), rows)
    return {(robot_id, nonce) for robot_id, nonce in written}


def _refusal(*, enrolled: bool) -> UnauthorizedError:
    if enrolled:
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
