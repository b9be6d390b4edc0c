"""A TCP proxy that behaves as networks do: it delays, cuts, stalls, answers itself, or refuses."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Proxy", "proxy_to"]

Fault = Literal["none", "down", "slow", "stalled", "error", "cut request", "cut answer"]
PIECE = 65_536
SLOW_SECONDS = 0.05
ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/xml\r\nContent-Length: 0\r\n"
    b"Connection: close\r\n\r\n"
)


@dataclass
class Proxy:
    """What lies between two ends, to be changed at any time.

    Attributes:
        fault: `down` closes each connection at once; `slow` waits before each piece; `stalled` swallows all;
            `error` answers 500; `cut request` and `cut answer` break off after `after` bytes of a connection.
        after: Bytes of one direction that still pass.
        times: Connections that still have the fault; None: all.
    """

    port: int
    fault: Fault = "none"
    after: int = 100_000
    times: int | None = None
    faults: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def inject(self, fault: Fault, *, after: int = 100_000, times: int | None = None) -> None:
        """From now on."""
        with self._lock:
            self.fault, self.after, self.times = fault, after, times

    def due(self) -> Fault:
        """What the next connection gets."""
        with self._lock:
            if self.fault == "none" or self.times == 0:
                return "none"
            if self.times is not None:
                self.times -= 1
            self.faults += 1
            return self.fault


@contextmanager
def proxy_to(target: str) -> Iterator[Proxy]:
    """A proxy before `host:port`."""
    host, _, port = target.partition(":")
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = Proxy(listener.getsockname()[1])

    def accept() -> None:
        with suppress(OSError):  # closed: the test is over
            while True:
                near, _ = listener.accept()
                threading.Thread(target=_serve, args=(proxy, near, host, int(port)), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield proxy
    finally:
        listener.close()


def _serve(proxy: Proxy, near: socket.socket, host: str, port: int) -> None:
    fault = proxy.due()
    with near, suppress(OSError):
        if fault == "down":
            return
        if fault in {"error", "stalled"}:
            _answer_for(near, fault)
            return
        with socket.create_connection((host, port)) as far:
            up = threading.Thread(target=_pump, args=(proxy, near, far, fault, "cut request"), daemon=True)
            up.start()
            _pump(proxy, far, near, fault, "cut answer")
            up.join()


def _answer_for(near: socket.socket, fault: Fault) -> None:
    """Read what comes; say that something is wrong, or nothing at all until the other end gives up."""
    if fault == "error":
        near.recv(PIECE)
        near.sendall(ERROR)
        near.shutdown(socket.SHUT_WR)
    while near.recv(PIECE):
        pass


def _pump(proxy: Proxy, source: socket.socket, target: socket.socket, fault: Fault, mine: Fault) -> None:
    left = proxy.after
    with suppress(OSError):
        while piece := source.recv(PIECE):
            if fault == "slow":
                time.sleep(SLOW_SECONDS)
            if fault == mine:
                piece = piece[:left]
                left -= len(piece)
            target.sendall(piece)
            if fault == mine and not left:
                break
        else:
            target.shutdown(socket.SHUT_WR)
            return
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
