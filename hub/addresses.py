"""Addresses as settings write them: networks, where a store is, and what goes with an issuer.

What is read from them is left to who asks: `hub.settings` checks them, webhooks and stores use them.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import parse_qs, urlsplit

from skills.lines import is_protected

__all__ = ["Network", "issuer_fault", "parse_networks", "store_place"]

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


def issuer_fault(issuer: str, client_id: str, scopes: str, *, has_roles: bool) -> str:
    """What is wrong with the settings of an issuer; empty where nothing is, or where there is none."""
    if not issuer:
        return ""
    if not client_id:
        return "oidc_issuer needs oidc_client_id, under which the issuer knows this hub"
    if not is_protected(issuer):
        return "oidc_issuer must be an https address; plain http is for this machine only"
    if "openid" not in scopes.split():
        return "oidc_scopes must name openid, or the issuer sends no ID token"
    if not has_roles:
        return "oidc_issuer needs oidc_roles or oidc_default_role, or everybody would be refused"
    return ""
