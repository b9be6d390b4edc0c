"""Rate limits: a token bucket for each known caller, and for each address of callers who are not known.

In memory: several hub processes before one database each count for themselves. Limits on the size of
bodies are the routes'; what a bucket is asked for is `hub.api.deps`'s.
"""

from __future__ import annotations

import ipaddress

from hub.buckets import Buckets
from hub.settings import Settings
from skills.errors import TooManyRequestsError

__all__ = ["RateLimits", "address_key"]


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
