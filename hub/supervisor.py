"""A hub of several processes that serve one port: it opens the port, starts them, and starts anew what died.

They are equal: each takes requests, moves rounds on, and has workers of its own. What they share is the
database, the store and the folder; each keeps its own rate limits and metrics. None shows the console.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog
from sqlalchemy.engine import make_url

from hub.children import end_with_parent
from hub.log import configure_logging
from hub.server import Beside, nothing_beside, serve
from hub.settings import Settings
from hub.storage.database import SettingsError

__all__ = ["serve_with"]

PAUSE = 1.0  # seconds before what died is started anew: it may die at its start
BACKLOG = 2048

log = structlog.get_logger("zunft.hub")


def serve_with(
    settings: Settings,
    processes: int,
    *,
    announce: Callable[[str], None] = lambda _address: None,
    beside: Beside = nothing_beside,
) -> None:
    """Run a hub of so many processes until SIGTERM or SIGINT; `announce` is told where it listens.

    What it does `beside`, each process does: see `hub.server.serve`.

    Raises:
        SettingsError: Its database is SQLite, which one process at a time may write to.
        SettingsError, StoreError: See `hub.server.serve`.
    """
    if processes == 1:
        serve(settings, announce=announce, beside=beside)
        return
    if make_url(settings.database).get_backend_name() == "sqlite":
        raise SettingsError(
            f"{processes} processes cannot share a SQLite database: they would wait for each other.",
            where="database_url",
            remedy="Set ZUNFT_DATABASE_URL to a PostgreSQL database, or run one process.",
        )
    configure_logging(settings.log_level)
    if settings.console:  # a page lives in the process that made it, and no request says which that was
        log.warning("hub.without_console", reason="several processes serve this port")
        settings = settings.model_copy(update={"console": False})
    with socket.create_server((settings.host, settings.port), backlog=BACKLOG) as listener:
        announce(f"http://{settings.host}:{listener.getsockname()[1]}")
        _Supervisor(settings, listener, processes, beside).run()


class _Supervisor:
    """The parent: it serves nobody itself."""

    def __init__(self, settings: Settings, listener: socket.socket, many: int, beside: Beside) -> None:
        self._settings = settings
        self._beside = beside
        self._listener = listener
        self._many = many
        self._running: list[SpawnProcess] = []
        self._stopping = threading.Event()

    def run(self) -> None:
        """Start them, and end with them."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while len(self._running) < self._many and not self._stopping.is_set():
            self._running.append(self._start())
        while self._running:
            wait([each.sentinel for each in self._running])
            ended = [each for each in self._running if not each.is_alive()]
            self._running = [each for each in self._running if each not in ended]
            for each in ended:
                self._follow(each)
        log.info("hub.all_closed")

    def _follow(self, ended: SpawnProcess) -> None:
        if self._stopping.is_set():
            return
        log.warning("hub.process_died", pid=ended.pid, status=ended.exitcode)
        if not self._stopping.wait(PAUSE):
            self._running.append(self._start())

    def _start(self) -> SpawnProcess:
        told = self._settings, self._listener, self._beside
        process = get_context("spawn").Process(target=_serve_one, args=told)
        process.start()
        return process

    def _stop(self, *_: object) -> None:
        self._stopping.set()
        for each in self._running:
            each.terminate()


def _serve_one(settings: Settings, listener: socket.socket, beside: Beside) -> None:
    end_with_parent()
    serve(settings, listener=listener, beside=beside)
