"""Whether nobody between here and an address can read or change what goes there."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_protected"]


def is_protected(address: str) -> bool:
    """TLS, or this very machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme != "http":
        return parts.scheme == "https" and bool(host)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
