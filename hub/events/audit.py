"""The audit log: who did what, append-only, each entry chained to the one before by SHA-256.

An entry is written in the transaction that does what it tells of. A chain alone shows every change
inside it, and the head, kept in a row of its own, that its end was cut off; whoever may rewrite the
whole database can rewrite both, which shows only against heads that were noted elsewhere
(`hub.events.witness`). What happens to rounds and deltas is in `hub.events.log`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select, text

from hub.storage.database import Database
from hub.storage.paging import Order, page_of
from hub.storage.record import START, entry_hash
from hub.storage.tables.events import AuditHeadRow, AuditRow
from skills.messages.events import AuditEntry
from skills.messages.lists import AuditQuery, Page

__all__ = ["AuditLog", "ChainFinding"]


ORDERS = {
    "oldest": Order("audit.oldest", (AuditRow.number,)),
    "newest": Order("audit.newest", (AuditRow.number,), descending=True),
}


@dataclass(frozen=True)
class ChainFinding:
    """What became of a chain.

    Attributes:
        entries: How many entries hold.
        head: Hash of the last one that holds.
        broken_at: Number of the first entry that does not hold; None where all do.
        reason: What is wrong there.
        compared: With how many noted heads it was compared.
    """

    entries: int
    head: str
    broken_at: int | None = None
    reason: str = ""
    compared: int = 0


def verify_chain(
    rows: Iterable[AuditRow],
    head: AuditHeadRow | None,
    noted: str = "",
    heads: Iterable[tuple[int, str]] = (),
) -> ChainFinding:
    """Follow the chain from its start.

    Args:
        rows: All entries by number.
        head: Where the chain should end; None on a hub that has no entry.
        noted: Hash of an entry that was written down earlier; it must still be there.
        heads: Numbers and hashes of entries that were; they must still be there.
    """
    witnessed: defaultdict[int, set[str]] = defaultdict(set)
    for at, digest in heads:
        witnessed[at].add(digest)
    last, number, met = START, 0, not noted
    for row in rows:
        reason = _fault(row, number + 1, last)
        if not reason and witnessed.get(row.number, {row.hash}) != {row.hash}:
            reason = f"another entry {row.number} was noted: the log was rewritten"
        if reason:
            return ChainFinding(number, last, number + 1, reason)
        last, number = row.hash, row.number
        met = met or last == noted
    expected = (head.number, head.hash) if head else (0, START)
    if expected != (number, last):
        reason = f"the log ends with entry {number}; its head says that it has {expected[0]}"
        return ChainFinding(number, last, number + 1, reason)
    if not met:
        return ChainFinding(
            number, last, number, f"no entry has the noted hash {noted}: the log was rewritten"
        )
    if max(witnessed, default=0) > number:
        reason = f"the log ends with entry {number}; entry {max(witnessed)} was noted"
        return ChainFinding(number, last, number + 1, reason)
    return ChainFinding(number, last, compared=len(witnessed))


def _fault(row: AuditRow, number: int, last: str) -> str:
    if row.number != number:
        return f"entry {number} is missing; the next one there is {row.number}"
    if row.previous != last:
        return f"entry {number} does not follow the one before it"
    if row.hash != entry_hash(row):
        return f"entry {number} is not what was written"
    return ""


class AuditLog:
    """Reads the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def entries(self, query: AuditQuery) -> Page[AuditEntry]:
        """Entries in their order, or the newest first."""
        found = select(AuditRow)
        filters = {
            AuditRow.actor: query.actor,
            AuditRow.action: query.action,
            AuditRow.subject: query.subject,
        }
        found = found.where(*(column == value for column, value in filters.items() if value))
        with self._database.read() as session:
            return page_of(
                session, found, ORDERS[query.sort], query, lambda rows: (_view(row[0]) for row in rows)
            )

    def verify(self, noted: str = "", heads: Iterable[tuple[int, str]] = ()) -> ChainFinding:
        """Follow the whole chain in one snapshot, see `verify_chain`; a few entries in memory at a time."""
        statement = select(AuditRow).order_by(AuditRow.number).execution_options(yield_per=1000)
        with self._database.read() as session:
            if session.get_bind().dialect.name == "postgresql":
                # Its default would show the head and the entries at different moments.
                session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            head = session.get(AuditHeadRow, 1)
            return verify_chain(session.scalars(statement), head, noted, heads)


def _view(row: AuditRow) -> AuditEntry:
    return AuditEntry(
        number=row.number,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        details=row.details,
        previous=row.previous,
        hash=row.hash,
    )
