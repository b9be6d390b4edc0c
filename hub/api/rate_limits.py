"""Rate limits: a token bucket for each known caller, and for each address of callers who are not known.

In memory: several hub processes before one database each count for themselves. Limits on the size of
bodies are the routes'; what a bucket is asked for is `hub.api.deps`'s.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections.abc import Callable

from hub.settings import Settings
from skills.errors import TooManyRequestsError

__all__ = ["Buckets", "RateLimits", "address_key"]

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


class RateLimits:
    """The hub's limits; a rate of 0 is none."""

    def __init__(self, settings: Settings) -> None:
        self._known = _buckets(settings.rate_limit, settings.rate_burst)
        self._strangers = _buckets(settings.stranger_rate_limit, settings.stranger_rate_burst)

    def known(self, name: str) -> None:
        """Count a request of somebody who has proven who it is.

        Raises:
            TooManyRequestsError: Too many of this one.
        """
        _take(self._known, name)

    def expect(self, name: str) -> None:
        """Before anything is done for somebody who only says who it is; it is not counted for that.

        Raises:
            TooManyRequestsError: The one that it says to be has asked too often.
        """
        if self._known is not None:
            _refuse(self._known.wait(name))

    def stranger(self, address: str) -> None:
        """Count a request without credentials or with wrong ones.

        Raises:
            TooManyRequestsError: Too many from this address.
        """
        _take(self._strangers, address_key(address))


def address_key(address: str) -> str:
    """Who is counted together: an IPv4 address, or the 64-bit network that one IPv6 subscriber has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _buckets(rate: float, burst: int) -> Buckets | None:
    return Buckets(rate, burst) if rate else None


def _take(buckets: Buckets | None, key: str) -> None:
    if buckets is not None:
        _refuse(buckets.take(key))


def _refuse(wait: float) -> None:
    if wait:
        raise TooManyRequestsError(
            "too many requests.",
            remedy=f"Ask again in {wait:.1f} s; what is allowed is a setting of the hub.",
            retry_after=wait,
        )
