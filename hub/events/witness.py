"""Noting the audit log's head outside of the database, so that a log which was rewritten whole shows.

Each new head goes to the log on standard error, whose reader keeps what this process cannot take back, and to
one place of the settings: a file that is only appended to, or an address. What a file is worth depends on who
may write to it: see docs/security.md. Comparing is `hub.events.audit`'s.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import structlog

from hub.clock import Clock
from hub.storage.database import Database
from hub.storage.tables.events import AuditHeadRow
from skills.errors import RequestError
from skills.lines import is_protected

__all__ = ["AuditWitness", "heads_at", "heads_in"]

ADDRESS = re.compile(r"https?://")
HASH = re.compile(r"[0-9a-f]{64}")
PATIENCE = 10.0  # seconds

log = structlog.get_logger("zunft.audit")


class AuditWitness:
    """`look` notes the head if it is another one than before; it is called again and again.

    Args:
        database: Where the log is.
        place: A file's path, or an https address.
        clock: The time.
    """

    def __init__(self, database: Database, place: str, clock: Clock) -> None:
        self._database = database
        self._place = place
        self._clock = clock
        self._noted = 0

    def look(self) -> None:
        """Note the head.

        Raises:
            OSError, httpx.HTTPError: It cannot be noted now; the next look tries again.
        """
        with self._database.read() as session:
            head = session.get(AuditHeadRow, 1)
        if head is None or head.number == self._noted:
            return
        said = {"number": head.number, "hash": head.hash, "at": self._clock().isoformat()}
        if ADDRESS.match(self._place):
            httpx.post(self._place, json=said, timeout=PATIENCE).raise_for_status()
        else:
            _append(Path(self._place), json.dumps(said))
        log.info("audit.head", number=head.number, hash=head.hash)
        self._noted = head.number


def heads_at(place: str) -> list[tuple[int, str]]:
    """Number and hash of every head that was noted; none where there is no such file.

    Raises:
        RequestError: The address does not answer, or plain http would be trusted.
    """
    if not ADDRESS.match(place):
        path = Path(place)
        return list(heads_in(path.read_text("utf-8").splitlines())) if path.exists() else []
    if not is_protected(place):
        raise RequestError("plain http can be changed on the way.", where=place, remedy="Use https.")
    try:
        answer = httpx.get(place, timeout=PATIENCE).raise_for_status()
    except httpx.HTTPError as error:
        raise RequestError(
            f"noted heads cannot be read: {error}",
            where=place,
            remedy="Have the address answer GET with the lines that were posted, or say --heads FILE.",
        ) from error
    return list(heads_in(answer.text.splitlines()))


def heads_in(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Heads among lines of a file, or of a hub's log with whatever its collector put before each."""
    for line in lines:
        try:
            said = json.loads(line[line.index("{") :])
        except ValueError:
            continue
        number, digest = said.get("number"), str(said.get("hash"))
        is_head = said.get("event", "audit.head") == "audit.head" and isinstance(number, int)
        if is_head and HASH.fullmatch(digest):
            yield number, digest


def _append(path: Path, line: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)
