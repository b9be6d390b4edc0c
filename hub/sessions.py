"""Sessions: who a browser signed in as, by the secret in its cookie, of which only the SHA-256 is kept.

A session ends at its time, after a while in which nobody did anything, with the user's token, when its
user signs out, and when an admin ends it. How one comes to a session is `hub.sign_in`; cookies are
`hub.api.cookies`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.orm import Session

from hub.auth import Principal, hash_token, make_token, principal_of
from hub.clock import Clock
from hub.database import Database
from hub.models import SessionRow, UserRow
from skills.errors import UnauthorizedError

__all__ = ["Sessions", "end_sessions"]

LOOKS = 20
"""So often within the idle time it is written down that a session is in use, not with each request."""


class Sessions:
    """The hub's open sessions."""

    def __init__(self, database: Database, clock: Clock, lifetime: float, idle: float) -> None:
        self._database = database
        self._clock = clock
        self._lifetime = timedelta(seconds=lifetime)
        self._idle = timedelta(seconds=idle)

    def open(self, user: str, *, instead_of: str = "") -> str:
        """A new session of a user, and its secret, which is kept nowhere else.

        Args:
            user: Name of a user who has just proven to be this one.
            instead_of: Secret of the session that this browser had before; it ends.

        Raises:
            UnauthorizedError: The user was revoked meanwhile.
        """
        secret, now = make_token("zs"), self._clock()
        with self._database.write() as session:
            stale = (SessionRow.expires_at <= now) | (SessionRow.secret_hash == hash_token(instead_of))
            session.execute(delete(SessionRow).where(stale))
            owner = session.get(UserRow, user)
            if owner is None:
                raise _over()
            expires = min(now + self._lifetime, owner.expires_at or datetime.max.replace(tzinfo=UTC))
            session.add(
                SessionRow(
                    secret_hash=hash_token(secret), user=user, created_at=now, seen_at=now, expires_at=expires
                )
            )
        return secret

    def principal(self, secret: str, *, in_use: bool = True) -> Principal:
        """Whose session this is, with the role that the user has now.

        Args:
            secret: What the browser's cookie says.
            in_use: Whether a person just did something, or only a page that lies open asks.

        Raises:
            UnauthorizedError: Nobody's, or it is over.
        """
        now = self._clock()
        mine = select(SessionRow, UserRow).join(UserRow, UserRow.name == SessionRow.user)
        with self._database.read() as session:
            found = session.execute(mine.where(SessionRow.secret_hash == hash_token(secret))).one_or_none()
        if found is None or min(found[0].expires_at, found[0].seen_at + self._idle) <= now:
            raise _over()
        row, user = found
        if in_use and now - row.seen_at >= self._idle / LOOKS:
            with self._database.write() as session:
                seen = session.get(SessionRow, row.secret_hash)
                if seen is not None:
                    seen.seen_at = now
        return principal_of(user)

    def end(self, secret: str) -> None:
        """End one session, if there is one."""
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.secret_hash == hash_token(secret)))


def _over() -> UnauthorizedError:
    return UnauthorizedError(
        "this session is over.", where="Cookie", remedy="Sign in again.", code="session_over"
    )


def end_sessions(session: Session, user: str) -> int:
    """End all sessions of a user in this transaction; returns how many there were."""
    ended = session.execute(delete(SessionRow).where(SessionRow.user == user))
    return cast("CursorResult[object]", ended).rowcount
