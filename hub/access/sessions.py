"""Sessions: who a browser signed in as, by the secret in its cookie, of which only the SHA-256 is kept.

A session opens no more than what it was opened with: a token's scopes, or all after signing in at an issuer.
It ends at its time, after a while in which nobody did anything, with the token, when its user signs out, and
when an admin ends it. How one comes to a session is `hub.access.sign_in`; cookies are `hub.api.cookies`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import CursorResult, Select, delete, select
from sqlalchemy.orm import Session

from hub.access.authenticator import principal_of
from hub.access.principal import Principal, hash_token, make_token
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.tables.people import SessionRow, UserRow, UserTokenRow
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

    def open(self, user: Principal, *, instead_of: str = "") -> str:
        """A new session of a user, and its secret, which is kept nowhere else.

        Args:
            user: Who has just proven to be this one; with a token, the session is the token's.
            instead_of: Secret of the session that this browser had before; it ends.

        Raises:
            UnauthorizedError: The user or the token was revoked meanwhile.
        """
        secret, now = make_token("zs"), self._clock()
        expires = now + self._lifetime
        with self._database.write() as session:
            stale = (SessionRow.expires_at <= now) | (SessionRow.secret_hash == hash_token(instead_of))
            session.execute(delete(SessionRow).where(stale))
            if _is_revoked(session, user):
                raise _over()
            session.add(
                SessionRow(
                    secret_hash=hash_token(secret),
                    user=user.name,
                    token_hash=user.token_hash or None,
                    created_at=now,
                    seen_at=now,
                    expires_at=min(expires, user.expires_at or expires),
                )
            )
        return secret

    def principal(self, secret: str, *, in_use: bool = True) -> Principal:
        """Whose session this is, with the role and the organisation that the user has now.

        Args:
            secret: What the browser's cookie says.
            in_use: Whether a person just did something, or only a page that lies open asks.

        Raises:
            UnauthorizedError: Nobody's, or it is over.
        """
        digest, now = hash_token(secret), self._clock()
        with self._database.read() as session:
            found = session.execute(_sessions().where(SessionRow.secret_hash == digest)).one_or_none()
        if found is None:
            raise _over()
        row, user, token = found
        ends = min(row.expires_at, row.seen_at + self._idle)
        if ends <= now:
            raise _over()
        if in_use and now - row.seen_at >= self._idle / LOOKS:
            self._mark_seen(digest, now)
            ends = min(row.expires_at, now + self._idle)
        return replace(principal_of(user, token), session_hash=digest, expires_at=ends)

    def _mark_seen(self, digest: str, now: datetime) -> None:
        with self._database.write() as session:
            row = session.get(SessionRow, digest)
            if row is not None:
                row.seen_at = now

    def end(self, secret: str) -> None:
        """End one session, if there is one."""
        with self._database.write() as session:
            session.execute(delete(SessionRow).where(SessionRow.secret_hash == hash_token(secret)))


def _sessions() -> Select[SessionRow, UserRow, UserTokenRow | None]:
    return (
        select(SessionRow, UserRow, UserTokenRow)
        .join(UserRow, UserRow.name == SessionRow.user)
        .outerjoin(UserTokenRow, UserTokenRow.token_hash == SessionRow.token_hash)
    )


def _is_revoked(session: Session, user: Principal) -> bool:
    if user.token_hash and session.get(UserTokenRow, user.token_hash) is None:
        return True
    return session.get(UserRow, user.name) is None


def _over() -> UnauthorizedError:
    return UnauthorizedError(
        "this session is over.", where="Cookie", remedy="Sign in again.", code="session_over"
    )


def end_sessions(session: Session, user: str) -> int:
    """End all sessions of a user in this transaction; returns how many there were."""
    ended = session.execute(delete(SessionRow).where(SessionRow.user == user))
    return cast("CursorResult[object]", ended).rowcount
