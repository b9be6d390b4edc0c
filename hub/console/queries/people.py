"""What the pages of people and of the audit log show."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.queries.asking import Asked, query_of
from hub.console.queries.robots import operator_of
from hub.events.audit import ChainFinding
from hub.services import Services
from skills.errors import UnauthorizedError
from skills.messages.events import AuditEntry
from skills.messages.lists import AuditQuery, ListQuery, OrganisationQuery, Page, UserQuery
from skills.messages.organisations import OrganisationView
from skills.messages.robots import JoinToken
from skills.messages.users import UserView

__all__ = ["AuditPage", "AuditReader", "PeoplePage", "read_people"]

TOKENS = 50
"""For joining, on the page; those behind them are for `zunft token list`."""


@dataclass(frozen=True)
class PeoplePage:
    """Everything on `/people`: one's colleagues and one's organisation; all of them for admins.

    `tokens`: with which a robot could still join, the first to end first.
    """

    people: Page[UserView]
    tokens: Page[JoinToken]
    organisations: tuple[OrganisationView, ...]


@dataclass(frozen=True)
class AuditPage:
    """Everything on `/audit`; `chain` once somebody asked whether it holds."""

    entries: Page[AuditEntry]
    chain: ChainFinding | None


def read_people(hub: Services, asked: Asked, viewer: Viewer) -> PeoplePage:
    """A page of people; raises UnauthorizedError, ForbiddenError, RequestError."""
    by = operator_of(viewer)
    return PeoplePage(
        hub.organisations.accounts.colleagues(by, query_of(UserQuery, asked)),
        hub.robots.join_tokens.tokens(by, ListQuery(limit=TOKENS)),
        hub.organisations.registry.organisations(by, OrganisationQuery()).items,
    )


class AuditReader:
    """Reads the log again and again; the chain is followed once, for that reads all of it."""

    def __init__(self, hub: Services, asked: Asked) -> None:
        self._hub, self._asked = hub, asked
        self._chain: ChainFinding | None = None

    def __call__(self, viewer: Viewer) -> AuditPage:
        """A page of it, the newest first; raises UnauthorizedError, ForbiddenError, RequestError."""
        if viewer is None:
            raise UnauthorizedError("the audit log is for admins.", remedy="Sign in.")
        viewer.must_be("admin", "read")
        log = self._hub.events.audit
        entries = log.entries(query_of(AuditQuery, {"sort": "newest", **self._asked}))
        if self._asked.get("verify") and self._chain is None:
            self._chain = log.verify()
        return AuditPage(entries, self._chain)
