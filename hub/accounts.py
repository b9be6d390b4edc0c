"""Users: created and revoked by an admin; the first admin is made when the hub starts.

Robots are no users: they enrol, see `hub.enrolment`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import HUB, note
from hub.auth import hash_token, make_token
from hub.clock import Clock
from hub.database import Database
from hub.events import take_turn
from hub.models import UserRow
from skills.errors import ConflictError, NotFoundError
from skills.messages import UserCreated, UserRequest, UserView
from skills.skill import write_atomically

__all__ = ["Accounts"]

FIRST_ADMIN = "admin"
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
        """
        token = make_token("zt")
        expires = self._clock() + timedelta(days=request.valid_days)
        with self._database.write() as session:
            if session.get(UserRow, request.name) is not None:
                raise ConflictError(
                    f"there is a user {request.name} already.",
                    where="name",
                    remedy="Choose another name, or revoke that user first.",
                )
            session.add(self._row(request, token, expires))
            self._note_created(session, request, by)
        return UserCreated(name=request.name, role=request.role, token=token, expires_at=expires)

    def users(self) -> tuple[UserView, ...]:
        """All users by name; their tokens are nowhere."""
        with self._database.read() as session:
            return tuple(_view(row) for row in session.scalars(select(UserRow).order_by(UserRow.name)))

    def revoke(self, name: str, *, by: str = HUB) -> None:
        """Remove a user; the token is refused from now on.

        Raises:
            NotFoundError: No such user.
            ConflictError: The last admin whose token is valid.
        """
        with self._database.write() as session:
            user = session.get(UserRow, name)
            if user is None:
                raise NotFoundError(f"there is no user {name[:64]!r}.", where="name")
            if user.role == "admin" and {row.name for row in self._admins(session)} <= {name}:
                raise ConflictError("this is the last admin.", where="name", remedy="Create another first.")
            session.delete(user)
            note(session, "user.revoked", self._clock(), by=by, subject=name)

    def ensure_admin(self, token: str, folder: Path) -> None:
        """Give the first admin this token, or one that is kept in `folder` when no admin has a valid one.

        It does not expire: whoever starts the hub may set it anew at any time.
        """
        with self._database.write() as session:
            take_turn(session)  # several processes may start at once
            if not token and self._admins(session):
                return
            if not token:
                token = make_token("zt")
                write_atomically(folder / TOKEN_FILE, token.encode(), mode=0o600)
            known = session.get(UserRow, FIRST_ADMIN)
            if known is None or known.token_hash != hash_token(token):
                request = UserRequest(name=FIRST_ADMIN, role="admin")
                session.merge(self._row(request, token, None))
                self._note_created(session, request, HUB)

    def _note_created(self, session: Session, request: UserRequest, by: str) -> None:
        details = {"role": request.role, "organisation": request.organisation}
        note(session, "user.created", self._clock(), by=by, subject=request.name, **details)

    def _admins(self, session: Session) -> list[UserRow]:
        """Those whose token is valid now."""
        rows = session.scalars(select(UserRow).where(UserRow.role == "admin"))
        return [row for row in rows if row.expires_at is None or row.expires_at > self._clock()]

    def _row(self, request: UserRequest, token: str, expires_at: datetime | None) -> UserRow:
        return UserRow(
            name=request.name,
            role=request.role,
            organisation=request.organisation,
            token_hash=hash_token(token),
            created_at=self._clock(),
            expires_at=expires_at,
        )


def _view(row: UserRow) -> UserView:
    return UserView.model_validate({name: getattr(row, name) for name in UserView.model_fields})
