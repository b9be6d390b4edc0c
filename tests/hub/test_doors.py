"""Attacks on a real hub process, by what they cost: bytes of memory and of log, and nobody's login."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from hub.protocol import HEAD_LIMIT
from skills.messages.base import API
from tests.hub.conftest import ADMIN, ok
from tests.hub.running import running_hub

MEBIBYTE = 2**20
SENT = 64 * MEBIBYTE


def memory_of(pid: int) -> int:
    """Largest resident memory so far, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_headers_without_an_end_take_no_memory(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        ok(httpx.get(f"{hub.address}/readyz"))
        place, before = urlsplit(hub.address), memory_of(hub.pid)
        sent = 0
        for number in range(8):
            with socket.create_connection((place.hostname, place.port)) as line, suppress(ConnectionError):
                line.sendall(b"GET / HTTP/1.1\r\nHost: hub\r\nX-")
                while sent < (number + 1) * SENT // 8:
                    sent += line.send(b"y: " + b"x" * 60_000 + b"\r\nX-" * (number % 2))
        assert sent > 4 * HEAD_LIMIT
        assert memory_of(hub.pid) - before < SENT // 4
        ok(httpx.get(f"{hub.address}/readyz"))


def test_a_socket_without_login_writes_no_log(tmp_path: Path) -> None:
    with running_hub(tmp_path, ZUNFT_CONSOLE="true") as hub:
        ok(httpx.get(hub.address, timeout=60))
        address = f"ws://{urlsplit(hub.address).netloc}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        sent = 0
        for damage in ("4", "42", '42["event",', '42["handshake",{"client_id":"', "451-[", "9"):
            for _ in range(20):
                with suppress(ConnectionClosed), connect(address, origin=Origin(hub.address)) as line:
                    line.send("40")
                    for _ in range(20):
                        line.send(damage + "x" * 20_000)
                        sent += 20_000
        ok(httpx.get(hub.address, timeout=60))
        hub.stop()
        assert sent > 10 * MEBIBYTE
        assert sum(len(json.dumps(line)) for line in hub.log) < MEBIBYTE


def test_ten_wrong_logins_do_not_lock_out_the_right_one(tmp_path: Path) -> None:
    limits = {"ZUNFT_STRANGER_RATE_LIMIT": "0.001", "ZUNFT_STRANGER_RATE_BURST": "5"}
    with running_hub(tmp_path, **limits) as hub, httpx.Client(base_url=hub.address) as client:
        client.headers["Origin"] = hub.address

        def sign_in(token: str) -> int:
            return client.post(f"{API}/sessions", json={"token": token}).status_code

        assert [sign_in(f"zt_wrong-{number}-and-long-enough") for number in range(10)] == [401] * 5 + [
            429
        ] * 5
        assert sign_in(ADMIN) == 201
        right = {"Authorization": f"Bearer {ADMIN}"}
        ok(client.get(f"{API}/users/me", headers=right))
