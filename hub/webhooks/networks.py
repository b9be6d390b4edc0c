"""Which addresses a webhook may lead to: public ones, and private networks that settings name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from hub.addresses import Network

__all__ = ["is_allowed"]


NOT_PUBLIC = tuple(
    ip_network(each)
    for each in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16", "fec0::/10")
)
"""IPv6 that stands for some IPv4 address (compatible, NAT64, Teredo, 6to4), and the site-local of old."""


def is_allowed(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    """Whether it is public, or in one of these networks."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_allowed(address.ipv4_mapped, networks)
    if any(address in network for network in networks):
        return True
    public = address.is_global and not address.is_multicast
    return public and not any(address in network for network in NOT_PUBLIC)
