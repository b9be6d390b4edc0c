"""HTTP as uvicorn speaks it, held to sizes and deadlines before a request is one.

What uvicorn leaves open: a head without an end, in one header or in many, a head or body that trickles, and
any number of connections from one address. How large a body may be is `hub.api.bodies`'s and the app's.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.api.rate_limits import address_key

__all__ = ["HEAD_LIMIT", "Doorway"]

HEAD_LIMIT = 64 * 1024
"""Bytes of a request's first line and headers."""
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TRUSTED = "127.0.0.1"
"""The address of a proxy, whose connections are everybody's; uvicorn trusts the same by default."""

log = structlog.get_logger("zunft.http")


class Doorway(HttpToolsProtocol):
    """One connection; subclasses say what is allowed.

    Attributes:
        head_seconds: A request's head must be there so long after the connection or its first byte.
        body_seconds: In each such time at least `body_bytes` of an unfinished body must come.
        body_bytes: See `body_seconds`.
        most: Connections of one address; 0: any number.
        trusted: Addresses of proxies, which `most` does not count.
        open: How many each address has.
    """

    head_seconds: float
    body_seconds: float
    body_bytes: int
    most: int
    trusted: tuple[IPv4Network | IPv6Network, ...]
    open: Counter[str]

    _patience: asyncio.TimerHandle | None = None
    _counted = ""
    _head = 0
    _in_head = True
    _came = 0

    @classmethod
    def of(
        cls, *, head_seconds: float, body_seconds: float, body_bytes: int, most: int, proxies: str = ""
    ) -> type[Doorway]:
        """A class for one server; `proxies` are addresses or networks, with commas between them."""
        known = tuple(ip_network(each.strip(), strict=False) for each in (proxies or TRUSTED).split(","))
        limits: dict[str, Any] = {
            "head_seconds": head_seconds,
            "body_seconds": body_seconds,
            "body_bytes": body_bytes,
            "most": most,
            "trusted": known,
            "open": Counter(),
        }
        return type(cls.__name__, (cls,), limits)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Count it, and give its first request a time."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if self.most and address and not any(ip_address(address) in each for each in self.trusted):
            self._counted = address_key(address)
            self.open[self._counted] += 1
            if self.open[self._counted] > self.most:
                self._break_off("too many connections")
                return
        self._wait(self.head_seconds, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """From here on it is a socket of the console's, which has limits of its own."""
        self._leave()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Take what came, as long as it stays within limits."""
        if self.transport.is_closing():
            return
        self._came += len(data)
        if self._in_head:
            self._head += len(data)
        super().data_received(data)
        if self._in_head and self._head > HEAD_LIMIT and not self.transport.is_closing():
            self.transport.write(TOO_LARGE)
            self._break_off("endless head")

    def on_message_begin(self) -> None:
        """A request begins: its head has a time."""
        super().on_message_begin()
        self._in_head = True
        self._wait(self.head_seconds, self._head_is_late)

    def on_headers_complete(self) -> None:
        """The head is there; the body has a time."""
        self._in_head, self._head, self._came = False, 0, 0
        self._wait(self.body_seconds, self._look_at_body)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it came; the answer may take as long as it likes."""
        self._rest()
        super().on_message_complete()

    def _head_is_late(self) -> None:
        self._break_off("slow head")

    def _look_at_body(self) -> None:
        if self._came < self.body_bytes and not self.flow.read_paused:
            self._break_off("slow body")
            return
        self._came = 0
        self._wait(self.body_seconds, self._look_at_body)

    def _wait(self, seconds: float, then: Any) -> None:
        self._rest()
        self._patience = self.loop.call_later(seconds, then)

    def _rest(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _leave(self) -> None:
        self._rest()
        if self._counted:
            self.open[self._counted] -= 1
            if not self.open[self._counted]:
                del self.open[self._counted]
            self._counted = ""

    def _break_off(self, reason: str) -> None:
        log.debug("http.broken_off", reason=reason)
        self._rest()
        self.transport.close()
