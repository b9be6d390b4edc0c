"""Nonces: each counts once, in all processes and for good. A robot is answered after its nonce is durable.

Requests that come at once have theirs written in one transaction, see `hub.storage.group_commit`; whoever
writes more for a request than that, as `hub.deltas.admission` does, uses its nonce up in its own transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.storage.database import DIALECTS, Database, dialect_of, insert_of, table_of
from hub.storage.group_commit import Together
from hub.storage.tables.robots import NonceRow, RobotRow
from skills.errors import UnauthorizedError
from skills.proof import INPUT

__all__ = ["Nonces", "Use", "withdrawn_robot"]

SWEEPS = 10
"""So often within the time that a nonce is kept those that are too old are deleted."""

Use = tuple[str, str]
"""Robot and nonce."""

THOSE = RobotRow.robot_id.in_(bindparam("robots", expanding=True))
# In one order, so that two processes never wait for each other in a circle.
ROBOTS = (
    select(RobotRow.robot_id, RobotRow.closed_at)
    .where(THOSE)
    .order_by(RobotRow.robot_id)
    .with_for_update(key_share=True)
)
SEEN = update(table_of(RobotRow)).where(THOSE).values(last_seen_at=bindparam("now"))
NEW = {
    dialect: insert_of(dialect, NonceRow)
    .on_conflict_do_nothing()
    .returning(table_of(NonceRow).c.robot_id, table_of(NonceRow).c.nonce)
    for dialect in DIALECTS
}


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
        _hold_to(self._together.do((robot_id, nonce)))

    async def use_async(self, robot_id: str, nonce: str) -> None:
        """Like `use`, for a coroutine."""
        _hold_to(await self._together.ask((robot_id, nonce)))

    def use_up(self, session: Session, uses: Sequence[Use]) -> list[UnauthorizedError | None]:
        """Use nonces up in the caller's transaction, which holds the robots' rows from here on.

        Returns for each what `use` would raise.
        """
        now = self._clock()
        enrolled = _lock_robots(session, {robot_id for robot_id, _ in uses})
        there = {robot_id for robot_id, closed_at in enrolled.items() if closed_at is None}
        fresh = _insert(session, {use for use in uses if use[0] in there}, now)
        session.execute(SEEN, {"robots": sorted(there), "now": now})
        if now - self._swept >= self._kept / SWEEPS:
            session.execute(delete(NonceRow).where(NonceRow.used_at < now - self._kept))
            self._swept = now
        return [_refusal(use, enrolled, fresh) for use in uses]

    def _write(self, uses: Sequence[Use]) -> list[UnauthorizedError | None]:
        with self._database.write() as session:
            return self.use_up(session, uses)


def withdrawn_robot() -> UnauthorizedError:
    """What a robot hears that has been withdrawn."""
    return UnauthorizedError(
        "this robot was withdrawn.",
        where=INPUT,
        remedy="Ask the operator of its organisation; with a new key it can join anew.",
        code="robot_withdrawn",
    )


def _hold_to(refusal: UnauthorizedError | None) -> None:
    if refusal is not None:
        raise refusal


def _lock_robots(session: Session, robot_ids: set[str]) -> dict[str, datetime | None]:
    """Those that were enrolled, and when they were withdrawn."""
    rows = session.execute(ROBOTS, {"robots": sorted(robot_ids)})
    return {row.robot_id: row.closed_at for row in rows}


def _insert(session: Session, uses: set[Use], now: datetime) -> set[Use]:
    """Write these down; returns those that were not there."""
    if not uses:
        return set()
    rows = [{"robot_id": robot_id, "nonce": nonce, "used_at": now} for robot_id, nonce in sorted(uses)]
    return {(robot_id, nonce) for robot_id, nonce in session.execute(NEW[dialect_of(session)], rows)}


def _refusal(use: Use, enrolled: Mapping[str, datetime | None], fresh: set[Use]) -> UnauthorizedError | None:
    if use[0] not in enrolled:
        return UnauthorizedError(
            "this robot is no longer enrolled here.",
            where=INPUT,
            remedy="Join this hub again: zunft robot join.",
            code="unknown_robot",
        )
    if enrolled[use[0]] is not None:
        return withdrawn_robot()
    if use in fresh:
        fresh.discard(use)  # the same one twice at once counts once
        return None
    return UnauthorizedError(
        "this request was made before.",
        where=INPUT,
        remedy="Sign each request anew, repeated ones too.",
        code="replayed_request",
    )
