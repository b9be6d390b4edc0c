"""Tokens for joining that are still good: who made them, until when, and how one is taken back.

Of a token only its hash is kept, and what it is called here is the beginning of that. Making them and using
them up is left to `hub.robots.enrolment`.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hub.access.principal import Principal
from hub.access.visibility import of_organisation
from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.paging import Order, Statement, page_of
from hub.storage.record import note
from hub.storage.tables.robots import EnrolmentTokenRow
from skills.errors import NotFoundError
from skills.messages.lists import ListQuery, Page
from skills.messages.robots import JoinToken

__all__ = ["JoinTokens"]

ID_LENGTH = 16
ORDER = Order("join tokens", (EnrolmentTokenRow.expires_at, EnrolmentTokenRow.token_hash))


@dataclass(frozen=True)
class JoinTokens:
    """Of one's organisation; of all for admins. Each call is its own transaction."""

    database: Database
    clock: Clock

    def tokens(self, by: Principal, query: ListQuery) -> Page[JoinToken]:
        """Those that nobody has used and that have not ended, the first to end first."""
        with self.database.read() as session:
            return page_of(
                session, self._good(by), ORDER, query, lambda rows: (_view(row[0]) for row in rows)
            )

    def revoke(self, token_id: str, by: Principal) -> None:
        """Let nobody join with it any more.

        Raises:
            NotFoundError: None that is still good is called so.
        """
        with self.database.write() as session:
            named = EnrolmentTokenRow.token_hash.startswith(token_id, autoescape=True)
            row = session.execute(self._good(by).where(named).with_for_update()).scalar()
            if row is None or len(token_id) != ID_LENGTH:
                raise NotFoundError(
                    f"there is no token {token_id[:64]!r} with which a robot could join.",
                    where="token_id",
                    remedy="See those that are left: zunft token list.",
                )
            session.delete(row)
            note(
                session,
                "tokens.revoked",
                self.clock(),
                by=by.actor,
                subject=row.organisation,
                token=token_id,
            )

    def _good(self, by: Principal) -> Statement:
        ours = of_organisation(by, EnrolmentTokenRow.organisation)
        unused = EnrolmentTokenRow.robot_id.is_(None), EnrolmentTokenRow.expires_at >= self.clock()
        return select(EnrolmentTokenRow).where(ours, *unused)


def _view(row: EnrolmentTokenRow) -> JoinToken:
    return JoinToken(
        token_id=row.token_hash[:ID_LENGTH],
        organisation=row.organisation,
        issued_by=row.issued_by,
        expires_at=row.expires_at,
        hall_robots=row.hall_robots,
    )
