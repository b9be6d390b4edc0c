"""Hears what other processes of the hub have written, and rings this one's bell for it.

PostgreSQL tells at once. Beside that the newest event's number is looked at every second, so nothing that was
missed stays unheard, and processes that share a SQLite file hear each other, too.
"""

from __future__ import annotations

import threading

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.bell import Bell
from hub.database import Database
from hub.events import EventLog

__all__ = ["Listener"]

LOOK_SECONDS = 1.0
PAUSE = 1.0  # seconds after a database that did not answer

log = structlog.get_logger("zunft.hub")


class Listener:
    """One thread."""

    def __init__(self, database: Database, bell: Bell, look_seconds: float = LOOK_SECONDS) -> None:
        self._database = database
        self._events = EventLog(database)
        self._bell = bell
        self._look_seconds = look_seconds
        self._thread = threading.Thread(target=self._run, name="zunft-listener", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        try:
            self._database.notify()
        except SQLAlchemyError:
            log.debug("listener.not_woken")  # then it ends with its present look
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (SQLAlchemyError, psycopg.Error) as error:
                log.warning("listener.waits", reason=str(error))
                self._stopping.wait(PAUSE)

    def _listen(self) -> None:
        with self._database.listen() as heard:
            wait = heard or self._stopping.wait
            while not self._stopping.is_set():
                self._bell.hear(self._events.last())
                wait(self._look_seconds)
