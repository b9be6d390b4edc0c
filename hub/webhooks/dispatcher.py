"""Tells webhooks of events: from the event log, at least once, in order but for what is tried again.

Each webhook has a position in the log. A message that was taken moves it; one that was not is put aside in
`undelivered`, in the same transaction, and the webhook rests a while. So a hub that is killed at any line
sends at most one message twice and loses none. One process at a time sends, under the webhook's lease.
When to try again is `hub.webhooks.schedule`, who may hear what `hub.webhooks.audience`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.metrics import Metrics
from hub.queue.background_loop import LOOK_SECONDS
from hub.queue.leased_queue import Held, LeasedQueue
from hub.storage.database import Database
from hub.storage.tables.events import EventRow
from hub.storage.tables.webhooks import UndeliveredRow, WebhookRow
from hub.webhooks.audience import hears, told
from hub.webhooks.envelope import cloud_event, signed_headers
from hub.webhooks.schedule import Schedule
from hub.webhooks.sending import Sender, host_of
from hub.webhooks.vault import Vault
from skills.errors import ConflictError
from skills.messages.events import Event
from skills.messages.webhooks import DeliveryReport

__all__ = ["Dispatcher"]

WORKERS = 8
"""Receivers that are told at the same time: a slow one holds up nobody but itself and these."""

PASS_OVER = 1000
"""Events of no interest after which a position is moved over them, so that they are not read for ever."""

log = structlog.get_logger("zunft.webhooks")


@dataclass(frozen=True)
class _Message:
    """One attempt that is due."""

    webhook_id: str
    url: str
    secret: str
    event: Event

    @property
    def is_trial(self) -> bool:
        """Whether it tells of nothing: events are numbered from 1."""
        return self.event.id == 0


class Dispatcher:
    """`due` says which webhooks have something to hear, `serve` tells one; `turn` does it in threads."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        sender: Sender,
        schedule: Schedule,
        source: str,
        clock: Clock,
        metrics: Metrics,
        seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._vault = vault
        self._sender = sender
        self._schedule = schedule
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._queue = LeasedQueue(database, WebhookRow, clock, seconds, due=self._awake, stopping=stopping)
        self._stopping = stopping
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="zunft-webhook")
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Let workers serve whoever is due and is not being served."""
        for webhook_id in self.due():
            with self._lock:
                if webhook_id in self._busy:
                    continue
                self._busy.add(webhook_id)
            self._workers.submit(self._work, webhook_id)
        return LOOK_SECONDS

    def close(self) -> None:
        """End after the messages that are on their way now."""
        self._workers.shutdown(cancel_futures=True)

    def due(self) -> list[str]:
        """Webhooks for which there is something to do now, and nobody who does it."""
        now = self._clock()
        with self._database.read() as session:
            newest = session.scalar(select(func.max(EventRow.id))) or 0
            free = session.scalars(self._awake(session).where(self._queue.free(session)))
            return [row.webhook_id for row in free if _has_work(session, row, newest, now)]

    def serve(self, webhook_id: str) -> None:
        """Send what is due, one message after the other, until one is not taken."""
        self._queue.do(self._tell, self._fail, WebhookRow.webhook_id == webhook_id)

    def _work(self, webhook_id: str) -> None:
        try:
            self.serve(webhook_id)
        except Exception:
            log.exception("webhook.failed", webhook_id=webhook_id)
        finally:
            with self._lock:
                self._busy.discard(webhook_id)

    def _awake(self, _: Session) -> Select[WebhookRow]:
        """Webhooks that do not rest after trouble, or are to be tried."""
        until = WebhookRow.resting_until
        is_tried = and_(WebhookRow.trial_asked_at.is_not(None), WebhookRow.trial_report.is_(None))
        return select(WebhookRow).where(or_(until.is_(None), until <= self._clock(), is_tried))

    def _tell(self, held: Held[WebhookRow]) -> None:
        while not held.given_up() and (message := self._next(held)):
            self._settle(held, message, self._send(message))

    def _fail(self, held: Held[WebhookRow], error: Exception) -> None:
        """Something of the hub's own went wrong: it waits as if the receiver had not answered."""
        with held.commit():
            held.row.failures += 1
            held.row.trouble = f"internal error: {type(error).__name__}."
            held.row.resting_until = self._clock() + self._schedule.rest(held.row.failures)

    def _next(self, held: Held[WebhookRow]) -> _Message | None:
        """The next message; None where there is none, or where it rests."""
        now = self._clock()
        with held.enter() as session:
            row = held.row
            is_resting = row.resting_until is not None and row.resting_until > now
            event = _trial_due(row) or (None if is_resting else _next_event(session, row, now))
            return None if event is None else _Message(row.webhook_id, row.url, row.secret, event)

    def _send(self, message: _Message) -> DeliveryReport:
        try:
            secret = self._vault.open(message.secret, message.webhook_id)
        except ConflictError as error:
            return DeliveryReport(delivered=False, reason=error.message, seconds=0)
        body = cloud_event(message.event, self._source)
        number = f"test-{secrets.token_hex(4)}" if message.is_trial else str(message.event.id)
        message_id = f"{message.webhook_id}-{number}"
        headers = signed_headers(secret, message_id, int(self._clock().timestamp()), body)
        return self._sender.send(message.url, headers, body)

    def _settle(self, held: Held[WebhookRow], message: _Message, report: DeliveryReport) -> None:
        """Enter what became of a message."""
        now = self._clock()
        with held.enter() as session:
            row = held.row
            if message.is_trial:
                row.trial_report = report.model_dump(mode="json")
                return
            row.position = max(row.position, message.event.id)
            aside = session.get(UndeliveredRow, (row.webhook_id, message.event.id))
            outcome = "delivered"
            if not report.delivered:
                outcome = self._put_aside(session, row, aside, message.event.id, report.reason, now)
            elif aside is not None:
                session.delete(aside)
            if report.delivered:
                row.failures, row.trouble, row.resting_until, row.last_delivered_at = 0, "", None, now
        self._metrics.webhook_deliveries.labels(outcome).inc()
        log.info(
            "webhook.sent",
            outcome=outcome,
            webhook_id=message.webhook_id,
            host=host_of(message.url),
            event_id=message.event.id,
            reason=report.reason,
        )

    def _put_aside(
        self,
        session: Session,
        row: WebhookRow,
        aside: UndeliveredRow | None,
        event_id: int,
        reason: str,
        now: datetime,
    ) -> str:
        row.failures += 1
        row.trouble, row.resting_until = reason, now + self._schedule.rest(row.failures)
        attempts = 1 if aside is None else aside.attempts + 1
        wait = self._schedule.wait(attempts)
        session.merge(
            UndeliveredRow(
                webhook_id=row.webhook_id,
                event_id=event_id,
                attempts=attempts,
                last_attempt_at=now,
                due_at=None if wait is None else now + wait,
                reason=reason,
            )
        )
        return "dead" if wait is None else "failed"


def _trial_due(row: WebhookRow) -> Event | None:
    """The message of a trial that was asked for and not made yet."""
    if row.trial_asked_at is None or row.trial_report is not None:
        return None
    return Event(id=0, kind="webhook.test", at=row.trial_asked_at, data={"webhook_id": row.webhook_id})


def _has_work(session: Session, row: WebhookRow, newest: int, now: datetime) -> bool:
    if _trial_due(row) is not None:
        return True
    if session.scalar(_due_again(row, now).limit(1)) is not None:
        return True
    if row.position >= newest:
        return False
    return newest - row.position > PASS_OVER or session.scalar(_unheard(row).limit(1)) is not None


def _next_event(session: Session, row: WebhookRow, now: datetime) -> Event | None:
    """What is due again, else the next one in the log that this webhook may hear."""
    for aside in session.scalars(_due_again(row, now)).all():
        may_hear = EventRow.id == aside.event_id, hears(row.organisation)
        again = session.scalar(select(EventRow).where(*may_hear))
        if again is not None:
            return told(row.organisation, again)
        session.delete(aside)  # what it is about has been hidden from this organisation meanwhile
    newest = session.scalar(select(func.max(EventRow.id))) or 0
    found = session.scalar(_unheard(row).order_by(EventRow.id).limit(1))
    if found is not None:
        return told(row.organisation, found)
    row.position = max(row.position, newest)
    return None


def _due_again(row: WebhookRow, now: datetime) -> Select[UndeliveredRow]:
    mine = UndeliveredRow.webhook_id == row.webhook_id, UndeliveredRow.due_at <= now
    return select(UndeliveredRow).where(*mine).order_by(UndeliveredRow.due_at, UndeliveredRow.event_id)


def _unheard(row: WebhookRow) -> Select[EventRow]:
    wanted = EventRow.id > row.position, EventRow.kind.in_(row.kinds), hears(row.organisation)
    return select(EventRow).where(*wanted)
