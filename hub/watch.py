"""A watch: a thread beside the engine, for what goes on whether or not a campaign runs.

It wakes with the bell, or after a second, and does its duties: who is missing, which webhooks are due, which
robots are to be forgotten. What each of them does is theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import OperationalError

from hub.bell import Bell
from hub.jobs.job import WorkersAwayError
from hub.store import StoreError

__all__ = ["Watch"]

LONGEST_WAIT = 1.0  # seconds between two rounds when the bell is silent
BREATH = 0.2  # seconds after a ring, so that a burst of news is looked at once
PAUSE = 1.0  # seconds after something that failed

log = structlog.get_logger("zunft.watch")


class Watch:
    """Repeats its duties until it is stopped; one that fails keeps no other from being done."""

    def __init__(self, bell: Bell, duties: Sequence[Callable[[], None]]) -> None:
        self._bell = bell
        self._duties = duties
        self._thread = threading.Thread(target=self._run, name="zunft-watch", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after its present duty."""
        self._stopping.set()
        self._bell.ring()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._bell.rings
            done = [self._do(duty) for duty in self._duties]
            if all(done):
                self._bell.wait(seen, LONGEST_WAIT)
                self._stopping.wait(BREATH)
            else:
                self._stopping.wait(PAUSE)

    def _do(self, duty: Callable[[], None]) -> bool:
        try:
            duty()
        except (OperationalError, StoreError, WorkersAwayError) as error:
            log.warning("watch.waits", reason=str(error))
            return False
        except Exception:
            log.exception("watch.failed")
            return False
        return True
