"""Connections that keep no rules, against a real server: sizes, deadlines, and how many of one address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request

from hub.protocol import HEAD_LIMIT, Doorway
from tests.eventually import eventually

LIMITS: dict[str, Any] = {"head_seconds": 60.0, "body_seconds": 60.0, "body_bytes": 100, "most": 3}
OTHER = "127.0.0.2"
HEAD = b"POST /echo HTTP/1.1\r\nHost: hub\r\nContent-Length: 1000000\r\n\r\n"


def app() -> FastAPI:
    served = FastAPI()

    @served.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    return served


@contextmanager
def server(**changes: Any) -> Iterator[int]:
    """Yields the port."""
    doorway = Doorway.of(**{**LIMITS, **changes})
    config = uvicorn.Config(app(), host="127.0.0.1", port=0, http=doorway, log_config=None)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    try:
        eventually(lambda: running.started)
        yield running.servers[0].sockets[0].getsockname()[1]
    finally:
        running.should_exit = True
        thread.join()


@contextmanager
def line(port: int, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0)) as opened:
        yield opened


def answer(opened: socket.socket) -> bytes:
    """What comes until the other side closes; whatever was sent too much resets the line."""
    said = b""
    with suppress(ConnectionError):
        while piece := opened.recv(65536):
            said += piece
    return said


def works(port: int, source: str = "127.0.0.1") -> bool:
    with line(port, source) as opened, suppress(ConnectionError):
        opened.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")
        return answer(opened).startswith(b"HTTP/1.1 200")
    return False


@pytest.mark.parametrize("piece", [b"x" * 1024, b"y: " + b"x" * 1000 + b"\r\nX-"], ids=["one", "many"])
def test_headers_without_an_end_are_broken_off(piece: bytes) -> None:
    with server() as port, line(port) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nHost: hub\r\nX-")
        sent = 0
        with suppress(ConnectionError):
            while sent < 100 * HEAD_LIMIT:
                opened.sendall(piece)
                sent += len(piece)
        assert sent < 100 * HEAD_LIMIT
        assert works(port)


def test_a_head_that_trickles_is_broken_off() -> None:
    with server(head_seconds=0.2) as port, line(port) as silent, line(port) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost:")
        assert answer(slow) == b""
        assert answer(silent) == b""
        assert works(port)


def test_a_body_that_trickles_is_broken_off() -> None:
    with server(body_seconds=0.2) as port, line(port) as slow:
        slow.sendall(HEAD + b"x")
        assert answer(slow) == b""
        assert works(port)


def test_a_body_that_comes_is_taken_however_long_it_takes() -> None:
    with server(body_seconds=0.2, body_bytes=1) as port, line(port) as steady:
        steady.sendall(HEAD.replace(b"1000000", b"300").replace(b"Host", b"Connection: close\r\nHost"))
        for _ in range(300):
            steady.sendall(b"x")
            threading.Event().wait(0.004)
        assert answer(steady).endswith(b"300")


def test_one_address_has_so_many_connections_and_others_have_theirs() -> None:
    with server() as port:
        with line(port, OTHER) as one, line(port, OTHER) as two, line(port, OTHER) as three:
            for opened in (one, two, three):
                opened.sendall(HEAD)
            assert not works(port, OTHER)
            assert works(port, "127.0.0.3")
            with line(port) as proxy, line(port), line(port), line(port):
                proxy.sendall(HEAD)
                assert works(port)
        eventually(lambda: works(port, OTHER))
