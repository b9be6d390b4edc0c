"""Which webhooks there are: operators add, list, try and remove them, and look after dead letters.

A webhook belongs to the organisation of who added it, whose operators alone see it; admins see all. Telling
them of events is `hub.webhooks.dispatcher`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.orm import Session

from hub.access.principal import Principal
from hub.access.visibility import may_change, of_organisation
from hub.clock import Clock
from hub.storage.database import Database, announce
from hub.storage.paging import Order, page_of
from hub.storage.record import note
from hub.storage.tables.events import EventRow
from hub.storage.tables.webhooks import UndeliveredRow, WebhookRow
from hub.webhooks.audience import KINDS
from hub.webhooks.envelope import new_secret
from hub.webhooks.sending import Sender, host_of
from hub.webhooks.vault import Vault
from skills.errors import ConflictError, NotFoundError
from skills.messages.lists import ListQuery, Page
from skills.messages.webhooks import (
    DeadLetter,
    DeliveryReport,
    Redelivered,
    RedeliverRequest,
    TrialView,
    WebhookCreated,
    WebhookRequest,
    WebhookView,
)

__all__ = ["Webhooks"]

ORDER = Order("webhooks", (WebhookRow.created_at, WebhookRow.webhook_id))
DEAD_ORDER = Order("dead letters", (UndeliveredRow.event_id,))
ALLOWED = 50
"""Webhooks of one organisation."""


@dataclass(frozen=True)
class Webhooks:
    """Each call is its own transaction."""

    database: Database
    vault: Vault
    sender: Sender
    clock: Clock

    def add(self, request: WebhookRequest, by: Principal) -> WebhookCreated:
        """Tell this address of everything from now on.

        Raises:
            AddressError: The hub does not send there.
            ConflictError: The organisation has as many webhooks as it may have.
        """
        self.sender.check(request.url)
        secret, now = new_secret(), self.clock()
        webhook_id = f"w-{secrets.token_hex(6)}"
        row = WebhookRow(
            webhook_id=webhook_id,
            organisation=by.organisation,
            url=request.url,
            kinds=list(request.kinds or KINDS),
            secret=self.vault.seal(secret, webhook_id),
            created_at=now,
        )
        with self.database.write() as session:
            _check_number(session, by.organisation)
            row.position = session.scalar(select(func.max(EventRow.id))) or 0
            session.add(row)
            note(session, "webhook.added", now, by=by.actor, subject=webhook_id, host=host_of(request.url))
            session.flush()
            return WebhookCreated(webhook=_view(row, 0, 0), secret=secret)

    def webhooks(self, by: Principal, query: ListQuery) -> Page[WebhookView]:
        """Those that this one may see, oldest first."""
        found = select(WebhookRow).where(of_organisation(by, WebhookRow.organisation))
        with self.database.read() as session:
            return page_of(
                session, found, ORDER, query, lambda rows: _views(session, [row[0] for row in rows])
            )

    def remove(self, webhook_id: str, by: Principal) -> None:
        """Tell it nothing more; what it has not taken is forgotten.

        Raises:
            NotFoundError: No such webhook.
        """
        with self.database.write() as session:
            row = _find(session, webhook_id, by)
            session.execute(delete(UndeliveredRow).where(UndeliveredRow.webhook_id == webhook_id))
            session.delete(row)
            now, host = self.clock(), host_of(row.url)
            note(session, "webhook.removed", now, by=by.actor, subject=webhook_id, host=host)

    def test(self, webhook_id: str, by: Principal) -> TrialView:
        """Have a message of the type `zunft.webhook.test` sent next, once; one that waits is the same.

        Raises:
            NotFoundError: No such webhook.
            ConflictError: Its secret cannot be read.
        """
        with self.database.write() as session:
            row = _find(session, webhook_id, by)
            self.vault.open(row.secret, webhook_id)
            if row.trial_asked_at is None or row.trial_report is not None:
                row.trial_asked_at, row.trial_report = self.clock(), None
                announce(session)
            return _trial(row)

    def trial(self, webhook_id: str, by: Principal) -> TrialView:
        """What became of the last one.

        Raises:
            NotFoundError: No such webhook.
        """
        with self.database.read() as session:
            return _trial(_find(session, webhook_id, by))

    def dead(self, webhook_id: str, by: Principal, query: ListQuery) -> Page[DeadLetter]:
        """Events that were given up, oldest first.

        Raises:
            NotFoundError: No such webhook.
        """
        letters = select(UndeliveredRow, EventRow).join(EventRow, EventRow.id == UndeliveredRow.event_id)
        found = letters.where(_dead_of(webhook_id))
        with self.database.read() as session:
            _find(session, webhook_id, by)
            return page_of(
                session, found, DEAD_ORDER, query, lambda rows: (_letter(*row[:2]) for row in rows)
            )

    def redeliver(self, webhook_id: str, request: RedeliverRequest, by: Principal) -> Redelivered:
        """Try dead letters again, from now on like new ones.

        Raises:
            NotFoundError: No such webhook.
        """
        now = self.clock()
        statement = select(UndeliveredRow).where(_dead_of(webhook_id))
        if request.events:
            statement = statement.where(UndeliveredRow.event_id.in_(request.events))
        with self.database.write() as session:
            row = _find(session, webhook_id, by)
            letters = session.scalars(statement).all()
            for letter in letters:
                letter.attempts, letter.due_at = 0, now
            row.failures, row.resting_until = 0, None
            count = len(letters)
            note(session, "webhook.redelivered", now, by=by.actor, subject=webhook_id, letters=count)
            announce(session)
        return Redelivered(queued=count)


def _check_number(session: Session, organisation: str) -> None:
    count = select(func.count()).select_from(WebhookRow).where(WebhookRow.organisation == organisation)
    if (session.scalar(count) or 0) >= ALLOWED:
        raise ConflictError(
            f"{organisation} has {ALLOWED} webhooks, which is as many as it may have.",
            remedy="Remove one that is no longer needed: zunft webhook remove.",
            code="too_many_webhooks",
        )


def _find(session: Session, webhook_id: str, by: Principal) -> WebhookRow:
    row = session.get(WebhookRow, webhook_id)
    if row is None or not may_change(by, row.organisation):
        raise NotFoundError(
            f"there is no webhook {webhook_id[:64]!r}.",
            where="webhook_id",
            remedy="See the list: zunft webhook list.",
        )
    return row


def _trial(row: WebhookRow) -> TrialView:
    if row.trial_asked_at is None:
        return TrialView(state="never")
    report = DeliveryReport.model_validate(row.trial_report) if row.trial_report else None
    return TrialView(state="done" if report else "queued", asked_at=row.trial_asked_at, report=report)


def _dead_of(webhook_id: str) -> ColumnElement[bool]:
    return (UndeliveredRow.webhook_id == webhook_id) & UndeliveredRow.due_at.is_(None)


def _letter(row: UndeliveredRow, event: EventRow) -> DeadLetter:
    return DeadLetter(
        event=event.id,
        kind=event.kind,
        happened_at=event.at,
        attempts=row.attempts,
        last_attempt_at=row.last_attempt_at,
        reason=row.reason,
    )


def _views(session: Session, rows: Sequence[WebhookRow]) -> list[WebhookView]:
    theirs = (
        select(UndeliveredRow.webhook_id, func.count(UndeliveredRow.due_at), func.count())
        .where(UndeliveredRow.webhook_id.in_([row.webhook_id for row in rows]))
        .group_by(UndeliveredRow.webhook_id)
    )
    found = {row[0]: (row[1], row[2]) for row in session.execute(theirs)}
    return [_view(row, *found.get(row.webhook_id, (0, 0))) for row in rows]


def _view(row: WebhookRow, waiting: int, undelivered: int) -> WebhookView:
    return WebhookView.model_validate(
        {
            "webhook_id": row.webhook_id,
            "url": row.url,
            "kinds": tuple(row.kinds),
            "organisation": row.organisation,
            "created_at": row.created_at,
            "last_delivered_at": row.last_delivered_at,
            "waiting": waiting,
            "dead": undelivered - waiting,
            "trouble": row.trouble,
            "resting_until": row.resting_until,
        }
    )
