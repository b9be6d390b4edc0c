"""Addresses as settings write them: networks, and where a store is.

What is read from them is left to who asks: `hub.settings` checks them, webhooks and stores use them.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import parse_qs, urlsplit

__all__ = ["Network", "parse_networks", "store_place"]

Network = IPv4Network | IPv6Network


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks such as `10.0.0.0/8, fd00::/8`.

    Raises:
        ValueError: One of them is none.
    """
    return tuple(ip_network(each.strip()) for each in text.split(",") if each.strip())


def store_place(url: str) -> tuple[str, ...]:
    """What two addresses of one store have in common."""
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint", [""])
    return parts.scheme, parts.netloc, parts.path.strip("/"), *endpoint
