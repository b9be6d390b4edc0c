"""A thread that now and then removes what nobody needs any more: parts of uploads, discarded blobs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import OperationalError

from skills.errors import ZunftError

__all__ = ["Sweeper"]

log = structlog.get_logger("zunft.sweeper")


class Sweeper:
    """Sweeps at once and then at intervals; several hubs before one database may sweep at the same time."""

    def __init__(self, sweeps: Sequence[Callable[[], object]], seconds: float) -> None:
        self._sweeps = sweeps
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="zunft-sweeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its present sweep."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            for sweep in self._sweeps:
                try:
                    sweep()
                except (OperationalError, ZunftError) as error:
                    log.warning("sweeper.waits", reason=str(error))
            if self._stopping.wait(self._seconds):
                return
