"""Users: created and revoked by an admin; the first admin is made when the hub starts.

Each begins with one API token; further ones are `hub.access.tokens`'. Who signs in at an issuer becomes a
user in `hub.access.sign_in`, without a token. Robots are no users: they enrol, see `hub.robots.enrolment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hub.access.principal import FIRST_ADMIN, Principal, hash_token, make_token
from hub.access.sessions import end_sessions
from hub.access.tokens import FIRST, add_token, check_admin_left, valid_admins
from hub.clock import Clock
from hub.organisations.registry import find_organisation
from hub.storage.database import Database
from hub.storage.paging import Order, Statement, containing, page_of
from hub.storage.record import HUB, note, take_turn
from hub.storage.tables.people import IdentityRow, UserRow, UserTokenRow
from skills.errors import ConflictError, NotFoundError
from skills.files import write_atomically
from skills.messages.lists import Page, UserQuery
from skills.messages.tokens import EVERY_SCOPE
from skills.messages.users import InvitationRequest, UserCreated, UserRequest, UserView

__all__ = ["Accounts"]

ORDER = Order("users", (UserRow.name,))
TOKEN_FILE = "admin-token"  # noqa: S105 - the file's name, not a secret


class Accounts:
    """The hub's users."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create(self, request: UserRequest, *, by: str = HUB) -> UserCreated:
        """Make a user and show the token once.

        Raises:
            ConflictError: The name is taken.
            NotFoundError: No such organisation.
        """
        token, now = make_token("zt"), self._clock()
        expires = now + timedelta(days=request.valid_days)
        with self._database.write() as session:
            find_organisation(session, request.organisation)
            if session.get(UserRow, request.name) is not None:
                raise ConflictError(
                    f"there is a user {request.name} already.",
                    where="name",
                    remedy="Choose another name, or revoke that user first.",
                )
            self._add(session, request, by)
            add_token(session, request.name, FIRST, token, EVERY_SCOPE, now, expires)
        return UserCreated(name=request.name, role=request.role, token=token, expires_at=expires)

    def invite(self, request: InvitationRequest, *, by: Principal) -> UserCreated:
        """Make a user of one's own organisation, who can do no more than run robots; the token is shown once.

        Raises:
            ConflictError: The name is taken.
        """
        wanted = {**request.model_dump(), "organisation": by.organisation}
        return self.create(UserRequest.model_validate(wanted), by=by.actor)

    def colleagues(self, by: Principal, query: UserQuery) -> Page[UserView]:
        """Users of one's own organisation by name; all for admins."""
        if by.role == "admin":
            return self.users(query)
        return self.users(query.model_copy(update={"organisation": by.organisation}))

    def users(self, query: UserQuery) -> Page[UserView]:
        """Users by name; their tokens are nowhere."""
        with self._database.read() as session:
            return page_of(
                session, _listed(query), ORDER, query, lambda rows: _views(session, [row[0] for row in rows])
            )

    def user(self, name: str) -> UserView:
        """One user.

        Raises:
            NotFoundError: No such user.
        """
        with self._database.read() as session:
            return _views(session, [_find(session, name)])[0]

    def end_sessions(self, name: str, *, by: str = HUB) -> None:
        """End all of a user's sessions; tokens stay.

        Raises:
            NotFoundError: No such user.
        """
        with self._database.write() as session:
            _find(session, name)
            ended = end_sessions(session, name)
            note(session, "sessions.ended", self._clock(), by=by, subject=name, count=ended)

    def revoke(self, name: str, *, by: str = HUB) -> None:
        """Remove a user; all the user's tokens and sessions are refused from now on.

        Raises:
            NotFoundError: No such user.
            ConflictError: The last admin whose token is valid.
        """
        with self._database.write() as session:
            take_turn(session)  # two admins who revoke each other must not both succeed
            user = _find(session, name)
            end_sessions(session, name)
            for model, owner in ((UserTokenRow, UserTokenRow.user_name), (IdentityRow, IdentityRow.user)):
                session.execute(delete(model).where(owner == name))
            if user.role == "admin":
                check_admin_left(session, self._clock())
            session.delete(user)
            note(session, "user.revoked", self._clock(), by=by, subject=name)

    def ensure_admin(self, token: str, folder: Path) -> None:
        """Give the first admin this token, or one that is kept in `folder` when no admin has a valid one.

        It does not expire: whoever starts the hub may set it anew at any time.
        """
        with self._database.write() as session:
            take_turn(session)  # several processes may start at once
            if not token and valid_admins(session, self._clock()):
                return
            if not token:
                token = make_token("zt")
                write_atomically(folder / TOKEN_FILE, token.encode(), mode=0o600)
            known = session.get(UserTokenRow, hash_token(token))
            if known is not None and known.user_name == FIRST_ADMIN:
                return
            self._ensure_first_admin(session)
            its = UserTokenRow.user_name == FIRST_ADMIN, UserTokenRow.name == FIRST
            session.execute(delete(UserTokenRow).where(*its))
            add_token(session, FIRST_ADMIN, FIRST, token, EVERY_SCOPE, self._clock(), None)

    def _ensure_first_admin(self, session: Session) -> None:
        row = session.get(UserRow, FIRST_ADMIN)
        if row is None:
            self._add(session, UserRequest(name=FIRST_ADMIN, role="admin"), HUB)
            return
        row.role = "admin"
        note(session, "token.created", self._clock(), by=HUB, subject=FIRST_ADMIN, token=FIRST)

    def _add(self, session: Session, request: UserRequest, by: str) -> None:
        now = self._clock()
        row = UserRow(name=request.name, role=request.role, organisation=request.organisation, created_at=now)
        session.add(row)
        session.flush()
        details = {"role": request.role, "organisation": request.organisation}
        note(session, "user.created", now, by=by, subject=request.name, **details)


def _find(session: Session, name: str) -> UserRow:
    row = session.get(UserRow, name)
    if row is None:
        raise NotFoundError(f"there is no user {name[:64]!r}.", where="name")
    return row


def _listed(query: UserQuery) -> Statement:
    found = select(UserRow)
    if query.text:
        found = found.where(containing(query.text, UserRow.name))
    if query.organisation:
        found = found.where(UserRow.organisation == query.organisation)
    return found.where(UserRow.role == query.role) if query.role else found


def _views(session: Session, users: Sequence[UserRow]) -> list[UserView]:
    names = [row.name for row in users]
    ends: dict[str, list[datetime | None]] = {name: [] for name in names}
    tokens = select(UserTokenRow.user_name, UserTokenRow.expires_at)
    for name, end in session.execute(tokens.where(UserTokenRow.user_name.in_(names))):
        ends[name].append(end)
    signs_in = select(IdentityRow.user, IdentityRow.issuer).where(IdentityRow.user.in_(names))
    issuers = dict(session.execute(signs_in).all())
    return [_view(row, ends[row.name], issuers.get(row.name, "")) for row in users]


def _view(row: UserRow, ends: Sequence[datetime | None], issuer: str) -> UserView:
    return UserView.model_validate(
        {
            "name": row.name,
            "role": row.role,
            "organisation": row.organisation,
            "created_at": row.created_at,
            "expires_at": None if None in ends else max((end for end in ends if end), default=None),
            "issuer": issuer,
        }
    )
