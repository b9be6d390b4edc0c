"""Sends one message to one address over HTTP, and to no address that the hub's operator has not allowed.

A webhook's URL is written by a user, and the hub stands inside a network: so only https to public addresses,
unless settings say otherwise. The name is resolved here and the very address that was judged is connected to.
No redirects, no proxies of the environment, one limit on the time of all of it and one on the answer's size;
nothing of the answer but its status is kept. When to send is `hub.webhooks.dispatcher`.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

from hub.addresses import Network
from hub.webhooks.networks import is_allowed
from skills.errors import ZunftError
from skills.messages.webhooks import DeliveryReport

__all__ = ["AddressError", "Sender", "host_of"]

ANSWER_LIMIT = 65_536  # bytes read of an answer's body, so that a short one can end in order


class AddressError(ZunftError):
    """The hub does not send to this address."""

    code = "address_refused"
    status = 422


def host_of(url: str) -> str:
    """What of an address may stand in logs: paths and queries of webhooks are often secrets."""
    return _parse(url).host


@dataclass(frozen=True)
class Sender:
    """What may be reached, and how long it may take.

    Attributes:
        networks: Private networks that are allowed beside all public addresses.
        plain_http: Whether http is allowed.
        seconds: For one message, from the look-up of the name to the answer.
    """

    networks: tuple[Network, ...] = ()
    plain_http: bool = False
    seconds: float = 10.0

    def check(self, url: str) -> None:
        """Refuse an address that can never be sent to; where a name leads shows only when it is used.

        Raises:
            AddressError: Not a URL, not https, or a private address.
        """
        found = _parse(url)
        if found.scheme not in ({"https", "http"} if self.plain_http else {"https"}):
            raise AddressError(
                f"webhooks go to https, not to {found.scheme[:16] or 'nothing'}.",
                where="url",
                remedy="Write https://..., or let the hub's operator set ZUNFT_WEBHOOK_PLAIN_HTTP.",
            )
        if not found.host or found.userinfo or found.fragment:
            raise AddressError(
                "this is not an address for messages.",
                where="url",
                remedy="Write https://host/path, without a user, a password or a fragment.",
            )
        try:
            literal = ip_address(found.host)
        except ValueError:
            return
        if not is_allowed(literal, self.networks):
            raise _refused(found.host)

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> DeliveryReport:
        """One attempt; whatever goes wrong is in the report."""
        started = time.monotonic()
        try:
            self.check(url)
            status = self._post(_parse(url), headers, body, started + self.seconds)
        except AddressError as error:
            reason = error.message
        except httpcore.TimeoutException:
            reason = f"no answer within {self.seconds:g} s."
        except httpcore.ProtocolError:
            reason = "what answered does not speak HTTP."
        except (httpcore.NetworkError, OSError) as error:
            untrusted = isinstance(error.__context__, ssl.SSLError)
            reason = "its certificate is not trusted." if untrusted else "it cannot be reached, or hung up."
        else:
            delivered = status in range(200, 300)
            reason = "" if delivered else f"it answered with status {status}."
            return DeliveryReport(
                delivered=delivered, status=status, reason=reason, seconds=time.monotonic() - started
            )
        return DeliveryReport(delivered=False, reason=reason, seconds=time.monotonic() - started)

    def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes, deadline: float) -> int:
        address = httpcore.URL(scheme=url.scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        backend = _GuardedBackend(self, deadline)
        # The system's certificates, and those of SSL_CERT_FILE.
        trusted = ssl.create_default_context()
        with (
            httpcore.ConnectionPool(ssl_context=trusted, network_backend=backend) as pool,
            pool.stream("POST", address, headers=_encoded(headers), content=body) as response,
        ):
            read = 0
            for piece in response.iter_stream():
                read += len(piece)
                if read > ANSWER_LIMIT:
                    break
            return response.status

    def addresses(self, host: str, port: int) -> list[str]:
        """Where a name leads, as far as it is allowed.

        Raises:
            AddressError: Nowhere that is allowed.
            OSError: The name is unknown.
        """
        found = [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        allowed = [each for each in found if is_allowed(ip_address(each.partition("%")[0]), self.networks)]
        if not allowed:
            raise _refused(host)
        return allowed


class _GuardedBackend(httpcore.NetworkBackend):
    """Connects to allowed addresses only, and ends everything at the deadline."""

    def __init__(self, sender: Sender, deadline: float) -> None:
        self._sender = sender
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline holds
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """The first address of the name that answers."""
        addresses = self._sender.addresses(host, port)
        while True:
            address = addresses.pop(0)
            try:
                stream = self._network.connect_tcp(
                    address, port, _left(self._deadline), local_address, socket_options
                )
            except (httpcore.NetworkError, httpcore.TimeoutException):
                if not addresses:
                    raise
            else:
                return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    """A connection on which each wait is as long as is left of the whole time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        return self._stream.read(max_bytes, _left(self._deadline))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._stream.write(buffer, _left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _left(self._deadline))
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in {"User-Agent": "zunft", **headers}.items()]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the whole time is over")
    return left


def _parse(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except httpx.InvalidURL:
        return httpx.URL()


def _refused(host: str) -> AddressError:
    return AddressError(
        f"{host[:200]} leads to an address in a private network.",
        where="url",
        remedy="Name a public one, or let the hub's operator allow its network: ZUNFT_WEBHOOK_NETWORKS.",
    )
