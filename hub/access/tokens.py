"""Users' API tokens: several each, made, listed and revoked singly by the user or an admin.

Only hashes are kept. A token that a user makes opens and lasts no more than the one it was made with, so that
whoever got hold of one gains nothing by making another. Reading a token that is shown is
`hub.access.authenticator`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from hub.access.authenticator import scopes_of
from hub.access.principal import Principal, hash_token, make_token
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.paging import Order, page_of
from hub.storage.record import note, take_turn
from hub.storage.tables.people import IdentityRow, UserRow, UserTokenRow
from skills.errors import ConflictError, ForbiddenError, NotFoundError
from skills.messages.lists import ListQuery, Page
from skills.messages.tokens import EVERY_SCOPE, Scope, TokenCreated, TokenRequest, TokenView

__all__ = ["FIRST", "Tokens", "add_token", "check_admin_left", "valid_admins"]

FIRST = "first"
"""Name of the token that a user begins with."""

ORDER = Order("tokens", (UserTokenRow.created_at, UserTokenRow.name))
MYSELF = "me"
"""How whoever asks is named in an address."""


class Tokens:
    """The tokens of all users; each call is its own transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, user: str, request: TokenRequest, *, by: Principal) -> TokenCreated:
        """Make a token and show it once.

        Raises:
            ForbiddenError: For somebody else, or with scopes that the caller's own token lacks.
            NotFoundError: No such user.
            ConflictError: The user has a token of this name.
        """
        name = _name_of(user, by)
        token, now = make_token("zt"), self._clock()
        expires = now + timedelta(days=request.valid_days)
        if name == by.name:
            for scope in request.scopes:
                by.must_have(scope)
            expires = min(expires, by.expires_at or expires)
        with self._database.write() as session:
            if session.get(UserRow, name) is None:
                raise _no_user(name)
            if _find(session, name, request.name) is not None:
                raise ConflictError(
                    f"{name} has a token {request.name} already.",
                    where="name",
                    remedy="Choose another name, or revoke that token first.",
                )
            row = add_token(session, name, request.name, token, request.scopes, now, expires)
            note(session, "token.created", now, by=by.actor, subject=name, token=request.name)
        return TokenCreated(token=token, **_view(row).model_dump())

    def tokens(self, user: str, query: ListQuery, *, by: Principal) -> Page[TokenView]:
        """A user's tokens, oldest first, without their secrets.

        Raises:
            ForbiddenError: Of somebody else.
            NotFoundError: No such user.
        """
        name = _name_of(user, by)
        with self._database.read() as session:
            if session.get(UserRow, name) is None:
                raise _no_user(name)
            found = select(UserTokenRow).where(UserTokenRow.user_name == name)
            return page_of(session, found, ORDER, query, lambda rows: (_view(row[0]) for row in rows))

    def revoke(self, user: str, token: str, *, by: Principal) -> None:
        """Refuse one token from now on.

        Raises:
            ForbiddenError: Of somebody else.
            NotFoundError: No such token.
            ConflictError: No admin would have a valid one left.
        """
        name = _name_of(user, by)
        with self._database.write() as session:
            take_turn(session)  # two admins who revoke each other's must not both succeed
            row = _find(session, name, token)
            if row is None:
                raise NotFoundError(f"{name[:64]} has no token {token[:64]!r}.", where="token")
            session.delete(row)
            session.flush()
            if session.get_one(UserRow, name).role == "admin":
                check_admin_left(session, self._clock())
            note(session, "token.revoked", self._clock(), by=by.actor, subject=name, token=token)


def add_token(
    session: Session,
    user: str,
    name: str,
    token: str,
    scopes: Sequence[Scope],
    now: datetime,
    expires_at: datetime | None,
) -> UserTokenRow:
    """Keep what must be kept of a token."""
    row = UserTokenRow(
        token_hash=hash_token(token),
        user_name=user,
        name=name,
        scopes=[scope for scope in EVERY_SCOPE if scope in scopes],
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row


def valid_admins(session: Session, now: datetime) -> set[str]:
    """Admins who have a token that administers the hub now.

    Not those of an issuer, whatever tokens they have: they are admins for as long as it says so.
    """
    valid = or_(UserTokenRow.expires_at.is_(None), UserTokenRow.expires_at > now)
    tokens = select(UserTokenRow).join(UserRow, UserRow.name == UserTokenRow.user_name)
    of_issuers = UserRow.name.in_(select(IdentityRow.user))
    rows = session.scalars(tokens.where(UserRow.role == "admin", valid, ~of_issuers))
    return {row.user_name for row in rows if "administer" in row.scopes}


def check_admin_left(session: Session, now: datetime) -> None:
    """Hold a change that was made in this transaction to leaving an admin.

    Raises:
        ConflictError: There is none.
    """
    if not valid_admins(session, now):
        raise ConflictError("this is the last admin.", where="name", remedy="Create another first.")


def _name_of(user: str, by: Principal) -> str:
    """Whose tokens are meant, held to the right to handle them; says nothing about who there is."""
    if user in {MYSELF, by.name}:
        return by.name
    if by.role != "admin":
        raise ForbiddenError(
            f"{by.name} may handle {by.name}'s own tokens only.",
            where="name",
            remedy="Ask an admin of the hub.",
            code="not_yours",
        )
    by.must_have("administer")
    return user


def _find(session: Session, user: str, name: str) -> UserTokenRow | None:
    its = UserTokenRow.user_name == user, UserTokenRow.name == name
    return session.scalar(select(UserTokenRow).where(*its))


def _no_user(name: str) -> NotFoundError:
    return NotFoundError(f"there is no user {name[:64]!r}.", where="name")


def _view(row: UserTokenRow) -> TokenView:
    return TokenView(
        name=row.name,
        scopes=tuple(scope for scope in EVERY_SCOPE if scope in scopes_of(row)),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
