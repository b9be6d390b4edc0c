from __future__ import annotations

from ipaddress import ip_address

import pytest

from hub.addresses import parse_networks
from hub.settings import Settings
from hub.webhooks.networks import is_allowed


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - an address to refuse
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
    ],
)
def test_private_and_special_addresses_are_not_reached(address: str) -> None:
    assert not is_allowed(ip_address(address), ())


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_ones_are(address: str) -> None:
    assert is_allowed(ip_address(address), ())


@pytest.mark.parametrize(
    ("address", "found"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.0.1", False), ("fd00::1", True), ("::1", False)],
)
def test_networks_that_are_named_are_reached(address: str, found: bool) -> None:
    assert is_allowed(ip_address(address), parse_networks("10.1.0.0/16, fd00::/8")) == found


def test_a_setting_that_is_no_network_stops_the_hub() -> None:
    with pytest.raises(ValueError, match="webhook_networks"):
        Settings(webhook_networks="10.0.0.1/8")
