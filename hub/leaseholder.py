"""Leases in the database: a process takes a campaign, keeps its lease alive at work, and commits under it.

When a lease may be taken is `hub.leases`' rule, by one clock: the database server's where there is one, else
the hub's own, which all processes on a SQLite file share.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hub import leases
from hub.clock import Clock
from hub.database import Database
from hub.leases import Lease
from hub.models import NOTE_LENGTH, LeaseRow
from skills.errors import ZunftError

__all__ = ["HeldLease", "LeaseLostError", "Leaseholder", "lease_of", "new_lease"]

RENEWALS = 3
"""A lease is renewed so often before it would end."""

log = structlog.get_logger("zunft.engine")


class LeaseLostError(ZunftError):
    """Another process has taken the campaign over: what this one made is let go."""

    code = "lease_lost"
    status = 409


class Leaseholder:
    """One process, as others see it. Safe to use from many threads: each lease is a thread's own.

    Args:
        database: Where the leases are.
        clock: The time, where the database has none of its own.
        seconds: How long a lease lasts unless it is renewed; the same in all processes.
    """

    def __init__(self, database: Database, clock: Clock, seconds: float) -> None:
        self._database = database
        self._clock = clock
        self._seconds = seconds
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    @contextmanager
    def lease(self, campaign_id: str, stopping: Callable[[], bool]) -> Iterator[HeldLease | None]:
        """Hold a campaign for the time of a step; None while another process or thread does.

        Whatever happens in the step, the lease is put down at its end.

        Args:
            campaign_id: Of the campaign.
            stopping: Whether this process is going down.
        """
        mine = self._take(campaign_id)
        if mine is None:
            yield None
            return
        held = HeldLease(self._database, campaign_id, mine, self._now, stopping)
        over = threading.Event()
        heart = threading.Thread(target=self._keep_alive, args=(held, over), daemon=True)
        heart.start()
        try:
            yield held
        finally:
            over.set()
            heart.join()
            held.put_down()

    def _take(self, campaign_id: str) -> Lease | None:
        with self._database.read() as session:  # most looks find others at work, and need no lock for that
            seen = lease_of(session.get_one(LeaseRow, campaign_id))
            if not leases.free(seen, self._now(session), self._seconds):
                return None
        with self._database.write() as session:
            row = _locked(session, campaign_id)
            mine = leases.taken(lease_of(row), self.name, self._now(session), self._seconds)
            if mine is not None:
                if row.holder:
                    log.warning("engine.takes_over", campaign_id=campaign_id, holder=row.holder)
                _write(row, mine)
            return mine

    def _keep_alive(self, held: HeldLease, over: threading.Event) -> None:
        while not over.wait(self._seconds / RENEWALS):
            try:
                with self._database.write() as session:
                    row = _locked(session, held.campaign_id)
                    renewed = leases.renewed(lease_of(row), held.mine, self._now(session), self._seconds)
                    if renewed is None:
                        held.lost.set()
                        return
                    _write(row, renewed)
            except OperationalError as error:
                # It comes back, and then the lease is still ours, or another's and our work is let go.
                log.warning("engine.lease_not_renewed", campaign_id=held.campaign_id, reason=str(error))

    def _now(self, session: Session) -> datetime:
        if session.get_bind().dialect.name != "postgresql":
            return self._clock()
        now: datetime = session.scalars(select(func.clock_timestamp())).one()
        return now


class HeldLease:
    """What a step works under."""

    def __init__(
        self,
        database: Database,
        campaign_id: str,
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
        self.campaign_id = campaign_id
        self.mine = mine
        self.lost = threading.Event()

    def given_up(self) -> bool:
        """Whether work under it is for nothing, or shall end because its process does."""
        return self.lost.is_set() or self._stopping()

    @contextmanager
    def commit(self) -> Iterator[Session]:
        """The step's one transaction, which also puts the lease down.

        Raises:
            LeaseLostError: Another process has it; nothing is written.
        """
        with self._database.write() as session:
            row = _locked(session, self.campaign_id)
            if not leases.held(lease_of(row), self.mine):
                raise LeaseLostError(f"campaign {self.campaign_id} was taken over by {row.holder}.")
            yield session
            _write(row, leases.put_down(lease_of(row), self._now(session)))
        self._done = True

    def rest(self, seconds: float, note: str) -> None:
        """Have the lease put down so that nobody takes it for a while, and say why."""
        self._pause, self._note = seconds, note[:NOTE_LENGTH]

    def put_down(self) -> None:
        """Let others have it, unless they do already."""
        if self._done:
            return
        with self._database.write() as session:
            row = _locked(session, self.campaign_id)
            lease = lease_of(row)
            if leases.held(lease, self.mine):
                _write(row, leases.put_down(lease, self._now(session), pause=self._pause, note=self._note))


def new_lease(campaign_id: str, now: datetime) -> LeaseRow:
    """The row of a campaign that nobody has worked on."""
    return LeaseRow(campaign_id=campaign_id, holder="", number=0, taken_at=now, expires_at=now, note="")


def lease_of(row: LeaseRow) -> Lease:
    """A row as what the rules know."""
    return Lease(row.holder, row.number, row.taken_at, row.expires_at, row.note)


def _write(row: LeaseRow, lease: Lease) -> None:
    row.holder, row.number, row.note = lease.holder, lease.number, lease.note
    row.taken_at, row.expires_at = lease.taken_at, lease.expires_at


def _locked(session: Session, campaign_id: str) -> LeaseRow:
    return session.get_one(LeaseRow, campaign_id, with_for_update=True, populate_existing=True)
