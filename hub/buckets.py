"""Token buckets: so much at once and so much a second over time, for requests and lines of the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ["Buckets"]

FIRST_SWEEP = 1024


class Buckets:
    """Token buckets by key: `burst` at once, `rate` a second over time.

    Kept as the generic cell rate algorithm (ITU-T I.371): one number a key, the time at which its bucket is
    full again. Full buckets are swept, so the memory follows the callers of the last burst / rate seconds.
    """

    def __init__(self, rate: float, burst: int, timer: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / rate
        self._patience = burst * self._interval
        self._timer = timer
        self._full_at: dict[str, float] = {}
        self._sweep_at = FIRST_SWEEP
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str) -> float:
        """Take one from the bucket of `key`; returns 0, or the seconds after which there will be one."""
        with self._lock:
            now = self._timer()
            wait = self._wait(key, now)
            if wait:
                return wait
            self._full_at[key] = max(self._full_at.get(key, now), now) + self._interval
            if len(self._full_at) >= self._sweep_at:
                self._full_at = {name: at for name, at in self._full_at.items() if at > now}
                self._sweep_at = max(FIRST_SWEEP, 2 * len(self._full_at))
        return 0.0

    def wait(self, key: str) -> float:
        """What `take` would return; nothing is taken."""
        with self._lock:
            return self._wait(key, self._timer())

    def _wait(self, key: str, now: float) -> float:
        wait = max(self._full_at.get(key, now), now) + self._interval - now - self._patience
        return (
            wait if wait > self._interval * 1e-3 else 0.0
        )  # more than what adding many intervals rounds off
