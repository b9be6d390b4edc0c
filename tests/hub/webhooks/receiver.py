"""A system that is told of events over real HTTP, and checks each message with code of its own.

It can answer badly, slowly, in drips, or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.eventually import eventually

Answer = Callable[[BaseHTTPRequestHandler], None]


def answer(status: int, location: str = "", length: int = 0) -> Answer:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(length))
        if location:
            handler.send_header("Location", location)
        handler.end_headers()

    return send


ALL_WELL = answer(204)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


@dataclass
class Told:
    """One message. `genuine`: whether its signature holds."""

    message_id: str
    content_type: str
    event: dict[str, Any]
    genuine: bool


@dataclass
class Receiver:
    """What was told, in the order of arrival. `answers` are taken one a message; then all is well."""

    secret: str = ""
    told: list[Told] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    otherwise: Answer = ALL_WELL
    address: str = ""

    def kinds(self) -> list[str]:
        return [each.event["type"].removeprefix("zunft.") for each in self.told]

    def numbers(self) -> list[int]:
        return [int(each.event["id"]) for each in self.told]

    def wait_for(self, ready: Callable[[], bool]) -> None:
        eventually(ready, self.kinds)

    def hear(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        message_id, timestamp = handler.headers["webhook-id"], handler.headers["webhook-timestamp"]
        key = base64.b64decode(self.secret[len("whsec_") :])
        mac = hmac.new(key, b".".join([message_id.encode(), timestamp.encode(), body]), hashlib.sha256)
        expected = "v1," + base64.b64encode(mac.digest()).decode()
        genuine = expected in handler.headers["webhook-signature"].split(" ")
        self.told.append(
            Told(message_id, handler.headers["Content-Type"], json.loads(body), genuine and bool(key))
        )
        how = self.answers.pop(0) if self.answers else self.otherwise
        how(handler)


@contextmanager
def receiving(certificate: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Receiver]:
    """A receiver at an address of this machine; gone at the end."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.hear(self)

        def log_message(self, *_: object) -> None:
            """Silent."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Those who hang up are no news."""

    server = Server(("127.0.0.1", port), Handler)
    if certificate is not None:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    scheme = "http" if certificate is None else "https"
    receiver.address = f"{scheme}://localhost:{server.server_port}/events"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
