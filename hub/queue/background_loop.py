"""A thread that does one kind of work again and again: woken by the bell, and at the latest when it said so.

It outlives whatever its work raises, says so, and goes on after a pause; whoever asks hears whether it is
well. What the work is, and what of it can be done at a time, is its wing's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog
from sqlalchemy.exc import SQLAlchemyError

from hub.metrics import Metrics
from hub.storage.notify import Bell
from skills.errors import ZunftError

__all__ = ["LOOK_SECONDS", "BackgroundLoop", "beat", "every"]

LOOK_SECONDS = 1.0
"""The usual time between two looks when the bell is silent."""
BREATH = 0.1  # seconds between two looks, so that a hundred deltas are not looked at a hundred times
SHARE = 4  # where work is urgent, so many times as long as the last look took, if that is shorter
PAUSE = 1.0  # seconds after something that failed
STUCK_SECONDS = 300.0
"""Who is at one piece of work for so long, and says nothing meanwhile, is stuck."""

log = structlog.get_logger("zunft.background")


class BackgroundLoop:
    """Repeats its work from `start` on, until the bell is closed.

    Args:
        name: As logs, metrics and `/readyz` call it.
        work: Does what there is to do; returns after how many seconds to look again, 0 for at once.
        bell: Wakes it, and ends it when it is closed.
        metrics: Where failures are counted.
        is_woken: Whether news is a reason to look before the time.
        is_urgent: Whether news that come soon after a look cannot wait for a breath: robots do.
        interrupt: Called at the end, for work that waits for something else than the bell.
        now: Seconds of a clock that never jumps.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[], float],
        bell: Bell,
        metrics: Metrics,
        *,
        is_woken: bool = True,
        is_urgent: bool = False,
        interrupt: Callable[[], None] = lambda: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._work = work
        self._bell = bell
        self._failures = metrics.background_failures.labels(name)
        self._is_woken = is_woken
        self._is_urgent = is_urgent
        self._interrupt = interrupt
        self._now = now
        self._thread = _Thread(self._run, f"zunft-{name}", now)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Wait for the end of the present piece of work; the bell must have been closed before."""
        if self._thread.is_alive():
            self._interrupt()
            self._thread.join()

    def trouble(self) -> str:
        """Why nothing is to be expected of it; empty where all is well."""
        if self._thread.ident is None:
            return "is not running"
        if not self._thread.is_alive():
            return "has ended"
        silent = self._thread.silent_seconds()
        return f"is stuck: it has said nothing for {silent:.0f} s" if silent > STUCK_SECONDS else ""

    def _run(self) -> None:
        while not self._bell.closed:
            seen = self._bell.rings
            self._thread.is_at_work = True
            self._thread.beat()
            begun = self._now()
            seconds = self._try()
            taken = self._now() - begun
            self._thread.is_at_work = False
            if seconds is None:
                self._bell.rest(PAUSE)
            elif not self._is_woken:
                self._bell.rest(seconds)
            elif seconds > 0:
                ended = self._now()
                self._bell.wait(seen, seconds)
                self._bell.rest(self._breath(taken, self._now() - ended))

    def _breath(self, taken: float, rested: float) -> float:
        """Seconds until the next look, after one that took so long; news that come alone are seen at once."""
        return min(BREATH, SHARE * taken) if self._is_urgent else max(0.0, BREATH - rested)

    def _try(self) -> float | None:
        """Do the work; None where it failed."""
        try:
            return self._work()
        except BaseException as error:
            with suppress(Exception):  # nor what goes wrong while that is said
                self._failures.inc()
                if isinstance(error, (SQLAlchemyError, ZunftError)):
                    log.warning("background.waits", loop=self.name, reason=str(error))
                else:
                    log.exception("background.failed", loop=self.name)
        return None


def every(seconds: float, do: Callable[[], bool | None]) -> Callable[[], float]:
    """Work that is done again after the same time, and at once where it says that there is more to do."""

    def work() -> float:
        return 0.0 if do() else seconds

    return work


def beat() -> None:
    """Say that the loop whose thread this is goes on; elsewhere it says nothing."""
    thread = threading.current_thread()
    if isinstance(thread, _Thread):
        thread.beat()


class _Thread(threading.Thread):
    """With the time of its last word."""

    def __init__(self, target: Callable[[], None], name: str, now: Callable[[], float]) -> None:
        super().__init__(target=target, name=name, daemon=True)
        self._now = now
        self._said_at = now()
        self.is_at_work = False

    def beat(self) -> None:
        """Say that it goes on."""
        self._said_at = self._now()

    def silent_seconds(self) -> float:
        """Since its last word, where it is at work."""
        return self._now() - self._said_at if self.is_at_work else 0.0
