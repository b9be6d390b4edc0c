"""Hears what other processes of the hub have written, and rings this one's bell for it.

PostgreSQL tells at once. Beside that the newest event's number is looked at every second, so nothing that was
missed stays unheard, and processes that share a SQLite file hear each other, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.storage.database import Database
from hub.storage.notify import Bell

__all__ = ["Listener"]


LOOK_SECONDS = 1.0


log = structlog.get_logger("zunft.hub")


class Listener:
    """`work` listens for a while; a background loop repeats it. `newest` reads the newest event's number.

    `look_seconds` may be changed by a process that has to hear of all soon.
    """

    def __init__(
        self,
        database: Database,
        bell: Bell,
        newest: Callable[[], int],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._database = database
        self._newest = newest
        self._bell = bell
        self.look_seconds = look_seconds
        self._open = ExitStack()
        self._wait: Callable[[float], object] | None = None

    def work(self) -> float:
        """Look, then wait for the next news.

        Raises:
            SQLAlchemyError, psycopg.Error: The database does not answer; the next call connects anew.
        """
        try:
            if self._wait is None:
                self._wait = self._open.enter_context(self._database.listen()) or self._bell.rest
            self._bell.hear(self._newest())
            self._wait(self.look_seconds)
        except BaseException:
            self._wait = None
            self._open.close()
            raise
        return 0.0

    def interrupt(self) -> None:
        """End the present wait."""
        try:
            self._database.notify()
        except SQLAlchemyError:
            log.debug("listener.not_woken")  # then it ends with its present look

    def close(self) -> None:
        """Give the connection back."""
        self._open.close()
