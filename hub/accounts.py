"""Users: created and revoked by an admin; the first admin is made when the hub starts.

Robots are no users: they enrol, see `hub.enrolment`.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.audit import HUB, note
from hub.auth import hash_token, make_token
from hub.clock import Clock
from hub.database import Database
from hub.models import UserRow
from skills.errors import ConflictError, NotFoundError
from skills.messages import UserCreated, UserRequest
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
        with self._database.write() as session:
            if session.get(UserRow, request.name) is not None:
                raise ConflictError(
                    f"there is a user {request.name} already.",
                    where="name",
                    remedy="Choose another name, or revoke that user first.",
                )
            session.add(self._row(request, token))
            self._note_created(session, request, by)
        return UserCreated(name=request.name, role=request.role, token=token)

    def revoke(self, name: str, *, by: str = HUB) -> None:
        """Remove a user; the token is refused from now on.

        Raises:
            NotFoundError: No such user.
            ConflictError: The last admin.
        """
        with self._database.write() as session:
            user = session.get(UserRow, name)
            if user is None:
                raise NotFoundError(f"there is no user {name[:64]!r}.", where="name")
            admins = session.scalars(select(UserRow.name).where(UserRow.role == "admin")).all()
            if list(admins) == [name]:
                raise ConflictError("this is the last admin.", where="name", remedy="Create another first.")
            session.delete(user)
            note(session, "user.revoked", self._clock(), by=by, subject=name)

    def ensure_admin(self, token: str, folder: Path) -> None:
        """Give the first admin this token, or a new one that is kept in `folder` when there is no admin."""
        with self._database.write() as session:
            admin = session.scalar(select(UserRow).where(UserRow.role == "admin").limit(1))
            if admin is not None and not token:
                return
            if not token:
                token = make_token("zt")
                write_atomically(folder / TOKEN_FILE, token.encode(), mode=0o600)
            known = session.get(UserRow, FIRST_ADMIN)
            if known is None or known.token_hash != hash_token(token):
                request = UserRequest(name=FIRST_ADMIN, role="admin")
                session.merge(self._row(request, token))
                self._note_created(session, request, HUB)

    def _note_created(self, session: Session, request: UserRequest, by: str) -> None:
        details = {"role": request.role, "organisation": request.organisation}
        note(session, "user.created", self._clock(), by=by, subject=request.name, **details)

    def _row(self, request: UserRequest, token: str) -> UserRow:
        return UserRow(
            name=request.name,
            role=request.role,
            organisation=request.organisation,
            token_hash=hash_token(token),
            created_at=self._clock(),
        )
