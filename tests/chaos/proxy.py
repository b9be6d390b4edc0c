"""A TCP proxy between real processes that can behave as networks and servers do at their worst.

It stands in front of the hubs (spreading connections over them), the object store and the database.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

__all__ = ["Address", "Mode", "Proxy"]

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""

Mode = Literal["pass", "down", "slow", "errors", "cut"]

PIECE = 65_536
PATIENCE = 5.0  # seconds to connect
DELAY = 0.1  # seconds that `slow` adds to each piece of an answer
CUT_AFTER = 700  # bytes of an answer: its head, and some of its body
REFUSAL = b"<Error><Code>SlowDown</Code><Message>Too many requests.</Message></Error>"
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(REFUSAL), REFUSAL)
)


@dataclass
class Proxy:
    """Listens on a free port of this machine; `mode` may be changed at any time.

    Attributes:
        targets: Where connections go, in turn; one that refuses is passed over.
        mode: `down` closes every connection, `slow` delays answers, `errors` answers 503 to all that is
            asked, `cut` ends each answer in its middle.
    """

    targets: Sequence[Address]
    mode: Mode = "pass"
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _turn: count[int] = field(default_factory=count)
    _open: set[socket.socket] = field(default_factory=set)

    def __post_init__(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def break_connections(self) -> None:
        """Cut every connection that is open."""
        for each in list(self._open):
            _close(each)

    def close(self) -> None:
        """Listen no longer."""
        _close(self._listener)
        self.break_connections()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        try:
            if self.mode == "errors":
                client.recv(PIECE)
                client.sendall(BUSY)
            elif self.mode != "down":
                self._join(client)
        except OSError:
            pass  # whoever broke it off
        finally:
            self._open.discard(client)
            _close(client)

    def _join(self, client: socket.socket) -> None:
        server = self._connect()
        if server is None:
            return
        self._open.add(server)
        try:
            up = threading.Thread(target=self._carry, args=(client, server, False), daemon=True)
            up.start()
            self._carry(server, client, True)
            up.join(PATIENCE)
        finally:
            self._open.discard(server)
            _close(server)

    def _connect(self) -> socket.socket | None:
        targets = list(self.targets)
        first = next(self._turn)
        for offset in range(len(targets)):
            target = targets[(first + offset) % len(targets)]
            with contextlib.suppress(OSError):
                if isinstance(target, tuple):
                    return socket.create_connection(target, PATIENCE)
                found = socket.socket(socket.AF_UNIX)
                found.connect(target)
                return found
        return None

    def _carry(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        """Bytes from one to the other until either ends; then both do."""
        carried = 0
        source.settimeout(None)
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                if self.mode in {"down", "errors"}:
                    break
                if answers and self.mode == "slow":
                    time.sleep(DELAY)
                if answers and self.mode == "cut" and carried + len(piece) > CUT_AFTER:
                    sink.sendall(piece[: max(0, CUT_AFTER - carried)])
                    break
                sink.sendall(piece)
                carried += len(piece)
        _close(source)
        _close(sink)


def _close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
