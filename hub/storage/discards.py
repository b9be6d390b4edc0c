"""Blobs that nobody may need any more: noted in the transaction that forgets them, deleted much later.

A store knows no transactions, and equal bytes have one name: what one request throws away, another may be
about to keep. So whoever keeps a blob takes it off the list before it is put, and it is deleted only after
the longest request, by whoever has marked its row, when no row names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.clock import Clock
from hub.storage.blobs import is_named
from hub.storage.database import Database, dialect_of, insert_of
from hub.storage.objects import StoreError
from hub.storage.regions import Stores
from hub.storage.spool import SpoolFile
from hub.storage.tables.uploads import DiscardRow
from skills.errors import ConflictError, ZunftError

__all__ = ["GRACE", "Discards", "discard"]

GRACE = timedelta(hours=1)
"""Longer than any request takes from putting a blob to naming it."""
BATCH = 500
"""Blobs that one sweep deletes at most."""

log = structlog.get_logger("zunft.store")


def discard(session: Session, region: str, digest: str, now: datetime) -> None:
    """Have a blob deleted later, unless a row names it then."""
    new = insert_of(dialect_of(session), DiscardRow).values(region=region, digest=digest, discarded_at=now)
    session.execute(
        new.on_conflict_do_update(index_elements=["region", "digest"], set_={"discarded_at": now})
    )


def _is_discarded(session: Session, region: str, digest: str) -> bool:
    """Whether a blob has to be rescued before it is put."""
    return session.get(DiscardRow, (region, digest)) is not None


@dataclass(frozen=True)
class Discards:
    """The list of a hub."""

    database: Database
    stores: Stores
    clock: Clock

    def rescue(self, region: str, digest: str) -> None:
        """Take a blob off the list, if it is there; then it may be put, and named within `GRACE`.

        Raises:
            StoreError: It is being deleted at this moment.
        """
        with self.database.read() as session:
            if not _is_discarded(session, region, digest):
                return
        with self.database.write() as session:
            row = session.get(DiscardRow, (region, digest), with_for_update=True, populate_existing=True)
            if row is None:
                return
            if row.taken_at is not None:
                raise StoreError(
                    "an earlier copy of this very file is being deleted.", remedy="Send it again in a moment."
                )
            session.delete(row)

    @contextmanager
    def keeping(self, region: str, file: SpoolFile) -> Iterator[None]:
        """Put a file for the rows that are written inside; it is thrown away where they are not.

        Raises:
            StoreError: It could not be kept.
            ConflictError: The same rows were written by another at that moment.
        """
        self.rescue(region, file.digest)
        self.stores.of(region).put_file(file.digest, file.path)
        try:
            yield
        except ZunftError:
            self.add(region, file.digest)
            raise
        except IntegrityError as error:
            self.add(region, file.digest)
            raise ConflictError("another upload was faster.", remedy="Send it again.") from error

    def add(self, region: str, digest: str) -> None:
        """Have a blob deleted later, unless a row names it then."""
        with self.database.write() as session:
            discard(session, region, digest, self.clock())

    def sweep(self) -> bool:
        """Delete a batch of what is due; whether there may be more.

        Raises:
            StoreError: Not now; it stays on the list.
        """
        before = self.clock() - GRACE
        with self.database.read() as session:
            due = session.scalars(
                select(DiscardRow)
                .where(DiscardRow.discarded_at <= before)
                .where(or_(DiscardRow.taken_at.is_(None), DiscardRow.taken_at <= before))
                .limit(BATCH)
            ).all()
        for row in due:
            if self._take(row.region, row.digest, before):
                self.stores.of(row.region).delete(row.digest)
                log.info("store.deleted", digest=row.digest)
                with self.database.write() as session:
                    session.delete(session.get_one(DiscardRow, (row.region, row.digest)))
        return len(due) == BATCH

    def _take(self, region: str, digest: str, before: datetime) -> bool:
        """Whether it is for this process to delete it now: from here on nobody can rescue it."""
        with self.database.write() as session:
            row = session.get(DiscardRow, (region, digest), with_for_update=True, populate_existing=True)
            if row is None or row.discarded_at > before:
                return False
            if row.taken_at is not None and row.taken_at > before:
                return False  # another process is at it
            if is_named(session, region, digest):
                session.delete(row)
                return False
            row.taken_at = self.clock()
            return True
