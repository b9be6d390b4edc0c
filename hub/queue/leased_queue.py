"""Rows that are worked on in the background: the next one is taken under a lease, and entered under it.

A table is a queue where its rows have the columns of `hub.storage.tables.base.Leased`. What is due, what is
done with it and what becomes of what failed is its wing's; when a lease may be taken is `hub.queue.leases`'
rule, by one clock: the database server's where there is one, else the hub's own, which all processes on a
SQLite file share.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import ColumnElement, Select, func, inspect, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.queue import leases
from hub.queue.background_loop import beat
from hub.queue.leases import JobAbandonedError, Lease, LeaseLostError
from hub.storage.database import Database
from hub.storage.tables.base import NOTE_LENGTH, Leased
from skills.errors import ZunftError

__all__ = ["Held", "LeasedQueue", "lease_of"]

RENEWALS = 3
"""A lease is renewed so often before it would end."""
PAUSE = 1.0  # seconds for which a row rests after a store or cluster that did not answer
NOT_NOW = 503
"""Status of errors that go away by themselves."""
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
TAKING = 2079420003
"""First key of PostgreSQL's locks under which rows are taken; the second is the table's."""

Row = TypeVar("Row", bound=Leased)

log = structlog.get_logger("zunft.background")


class LeasedQueue(Generic[Row]):
    """One table, as one process works on it. Safe to use from many threads: each lease is a thread's own.

    Args:
        database: Where the table is.
        table: With the columns of a lease.
        clock: The time, where the database has none of its own.
        seconds: How long a lease lasts unless it is renewed; the same in all processes.
        due: Rows with something to do, the next one first.
        begin: What is entered when a row is taken.
        stopping: Whether this process is going down.
    """

    def __init__(
        self,
        database: Database,
        table: type[Row],
        clock: Clock,
        seconds: float,
        *,
        due: Callable[[Session], Select[Row]],
        begin: Callable[[Row], None] = lambda _: None,
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._table = table
        self._clock = clock
        self._seconds = seconds
        self._due = due
        self._begin = begin
        self._stopping = stopping
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def do(
        self,
        work: Callable[[Held[Row]], object],
        fail: Callable[[Held[Row], Exception], object],
        *only: ColumnElement[bool],
    ) -> bool:
        """Take the next row and do its work; whether there is reason to look for another one at once.

        What cannot be done now rests for a while, and others have their turn.

        Args:
            work: What is done; it enters its result under the lease.
            fail: What is entered where it cannot be done at all.
            only: Narrows down what is due.

        Raises:
            OperationalError, TimeoutError: The database does not answer; nothing is lost.
        """
        with self.take(*only) as held:
            if held is None:
                return False
            try:
                work(held)
            except (LeaseLostError, JobAbandonedError) as error:
                log.warning("queue.let_go", item=held.name, reason=str(error))
                return False
            except (OperationalError, InterfaceError, PoolTimeoutError):
                raise
            except Exception as error:
                if isinstance(error, ZunftError) and error.status == NOT_NOW:
                    log.warning("queue.waits", item=held.name, reason=str(error))
                    held.rest(PAUSE, error.message)
                    return True
                log.exception("queue.failed", item=held.name)
                with suppress(LeaseLostError):
                    fail(held, error)
        return True

    @contextmanager
    def take(self, *only: ColumnElement[bool]) -> Iterator[Held[Row] | None]:
        """Hold the next row for the time of the block; None where nothing is due that nobody holds.

        Whatever happens in the block, the lease is put down at its end.
        """
        beat()
        found = None if self._stopping() else self._take(only)
        if found is None:
            yield None
            return
        held = Held(self._database, *found, self._now, self._stopping)
        over = threading.Event()
        heart = threading.Thread(target=self._keep_alive, args=(held, over), daemon=True)
        heart.start()
        try:
            yield held
        finally:
            over.set()
            heart.join()
            held.put_down()

    def free(self, session: Session) -> ColumnElement[bool]:
        """Rows that nobody holds: `hub.queue.leases.free`, for the database."""
        now, until = self._now(session), self._table.lease_expires_at
        return or_(until.is_(None), until <= now, until > now + timedelta(seconds=self._seconds))

    def _take(self, only: tuple[ColumnElement[bool], ...]) -> tuple[Row, Lease] | None:
        with self._database.read() as session:  # most looks find nothing, and need no lock for that
            if session.scalar(self._next(session, only)) is None:
                return None
        with self._database.write() as session:
            if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time anyway
                # One after the other: what is due may depend on what others hold.
                key = func.hashtext(self._table.__tablename__)
                session.execute(select(func.pg_advisory_xact_lock(TAKING, key)))
            locked = self._next(session, only).with_for_update(of=self._table, key_share=True)
            row = session.scalar(locked)
            if row is None:
                return None
            mine = leases.taken(lease_of(row), self.name, self._now(session), self._seconds)
            if mine is None:
                return None
            if row.lease_holder:
                log.warning("queue.takes_over", item=_name(row), holder=row.lease_holder)
            self._begin(row)
            _write(row, mine)
            return row, mine

    def _next(self, session: Session, only: tuple[ColumnElement[bool], ...]) -> Select[Row]:
        return self._due(session).where(self.free(session), *only).limit(1)

    def _keep_alive(self, held: Held[Row], over: threading.Event) -> None:
        while not over.wait(self._seconds / RENEWALS):
            try:
                held.renew(self._seconds)
            except LeaseLostError:
                held.lost.set()
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one may succeed
                # Then the lease is still ours, or another's and our work is let go.
                log.warning("queue.lease_not_renewed", item=held.name, reason=str(error))

    def _now(self, session: Session) -> datetime:
        if session.get_bind().dialect.name != "postgresql":
            return self._clock()
        now: datetime = session.scalars(select(func.clock_timestamp())).one()
        return now


class Held(Generic[Row]):
    """A row that is worked on.

    Attributes:
        row: As it was when it was taken; in `enter` and `commit`, as it is.
        key: Its primary key.
        name: For logs.
        lost: Set once somebody else has it.
    """

    def __init__(
        self,
        database: Database,
        row: Row,
        mine: Lease,
        now: Callable[[Session], datetime],
        stopping: Callable[[], bool],
    ) -> None:
        self._database = database
        self._now = now
        self._stopping = stopping
        self._done = False
        self._pause = 0.0
        self._note = ""
        self.key = inspect(row, raiseerr=True).identity
        self.row = row
        self.mine = mine
        self.name = _name(row)
        self.lost = threading.Event()

    def given_up(self) -> bool:
        """Whether work under it is for nothing, or shall end because its process does."""
        beat()
        return self.lost.is_set() or self._stopping()

    @contextmanager
    def enter(self) -> Iterator[Session]:
        """A transaction after which the work goes on.

        Raises:
            LeaseLostError: Another process has the row, or it is gone; nothing is written.
        """
        with self._database.write() as session:
            self.row = self._own(session)
            yield session

    @contextmanager
    def commit(self) -> Iterator[Session]:
        """The last transaction, which also puts the lease down.

        Raises:
            LeaseLostError: As for `enter`.
        """
        with self.enter() as session:
            yield session
            _write(self.row, leases.put_down(lease_of(self.row), self._now(session)))
        self._done = True

    def renew(self, seconds: float) -> None:
        """Keep others off for longer.

        Raises:
            LeaseLostError: As for `enter`.
        """
        with self._database.write() as session:
            row = self._own(session)
            longer = leases.renewed(lease_of(row), self.mine, self._now(session), seconds)
            if longer is not None:
                _write(row, longer)

    def rest(self, seconds: float, note: str) -> None:
        """Have the lease put down so that nobody takes it for a while, and say why."""
        self._pause, self._note = seconds, note[:NOTE_LENGTH]

    def put_down(self) -> None:
        """Let others have it, unless they do already."""
        if self._done:
            return
        with suppress(LeaseLostError), self._database.write() as session:
            row = self._own(session)
            now = self._now(session)
            _write(row, leases.put_down(lease_of(row), now, pause=self._pause, note=self._note))

    def _own(self, session: Session) -> Row:
        locked: Any = {"key_share": True}
        row = session.get(type(self.row), self.key, with_for_update=locked, populate_existing=True)
        if row is None:
            raise LeaseLostError(f"{self.name} is gone.")
        if not leases.held(lease_of(row), self.mine):
            raise LeaseLostError(f"{self.name} was taken over by {row.lease_holder or 'somebody'}.")
        return row


def lease_of(row: Leased) -> Lease:
    """A row as what the rules know."""
    taken_at, expires_at = row.lease_taken_at or NEVER, row.lease_expires_at or NEVER
    return Lease(row.lease_holder, row.lease_number, taken_at, expires_at, row.lease_note)


def _write(row: Leased, lease: Lease) -> None:
    row.lease_holder, row.lease_number, row.lease_note = lease.holder, lease.number, lease.note
    row.lease_taken_at, row.lease_expires_at = lease.taken_at, lease.expires_at


def _name(row: Leased) -> str:
    """Such as `campaigns c-12`."""
    key = inspect(row, raiseerr=True).identity
    return " ".join([row.__tablename__, *(str(part) for part in key)])
