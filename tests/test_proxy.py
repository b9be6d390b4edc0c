"""deploy/Caddyfile in a real Caddy, before two real hub processes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from skills.messages.base import API
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.running import RunningHub, running_hub
from tests.hub.servers import free_ports

CADDYFILE = Path(__file__).resolve().parent.parent / "deploy" / "Caddyfile"
CADDY = str(Path(sys.executable).with_name("caddy"))
UPSTREAMS = re.compile(r"dynamic a {[^}]*}")
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}
PATIENCE = 60.0
STRANGERS = 20


@dataclass
class Door:
    """Two hubs and the proxy in front of them."""

    hubs: list[RunningHub]
    address: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, headers=OPERATOR, timeout=PATIENCE)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    (port,) = free_ports(1)
    with ExitStack() as stack:
        hubs = [stack.enter_context(running_hub(tmp_path / "hub")) for _ in range(2)]
        file = tmp_path / "Caddyfile"
        file.write_text(_here(port, [hub.address for hub in hubs]))
        command = [CADDY, "run", "--config", str(file), "--adapter", "caddyfile"]
        caddy = stack.enter_context(subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd=tmp_path))
        stack.callback(caddy.terminate)
        found = Door(hubs, f"http://127.0.0.1:{port}")
        _wait_until_open(found, caddy)
        yield found


def _here(port: int, hubs: list[str]) -> str:
    """The file with the addresses of this machine in place of those of Compose."""
    text, count = UPSTREAMS.subn(f"to {' '.join(hubs)}", CADDYFILE.read_text())
    assert count == 1
    assert text.count("\n:8080 {") == 1
    return text.replace("\n:8080 {", f"\nhttp://127.0.0.1:{port} {{")


def _wait_until_open(door: Door, caddy: subprocess.Popen[bytes]) -> None:
    def is_open() -> bool:
        try:
            ok(httpx.get(f"{door.address}/readyz"))
        except httpx.TransportError:
            return False
        return True

    eventually(is_open, "Caddy", alive=lambda: caddy.poll() is None)


def _asked(hub: RunningHub, request_id: str) -> int:
    return sum(line.get("request_id") == request_id for line in hub.log)


def test_the_file_is_valid_as_it_stands() -> None:
    command = [CADDY, "validate", "--config", str(CADDYFILE), "--adapter", "caddyfile"]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_events_pass_as_they_come_and_who_has_a_page_stays_with_its_process(door: Door) -> None:
    with door.client() as client, client.stream("GET", f"{API}/events?after=0") as stream:
        lines = stream.iter_lines()
        ok(
            httpx.post(
                f"{door.hubs[0].address}{API}/skills", content=tiny_skill().to_bytes(), headers=OPERATOR
            )
        )
        while "version.added" not in next(lines):
            pass
    with door.client() as client:
        for _ in range(6):
            ok(client.get(f"{API}/robots", headers={"X-Request-ID": "with-a-cookie"}))
    for _ in range(STRANGERS):
        with door.client() as client:
            ok(client.get(f"{API}/robots", headers={"X-Request-ID": "no-cookie"}))
    eventually(lambda: sum(_asked(hub, "no-cookie") for hub in door.hubs) >= STRANGERS)
    assert sorted(_asked(hub, "with-a-cookie") for hub in door.hubs) == [0, 6]
    assert all(_asked(hub, "no-cookie") for hub in door.hubs)


def test_when_a_process_dies_the_other_answers(door: Door) -> None:
    with door.client() as client:
        ok(client.get(f"{API}/robots"))
        door.hubs[0].kill()
        for _ in range(4):
            ok(client.get(f"{API}/robots"))
    for _ in range(4):
        with door.client() as client:
            ok(client.get(f"{API}/robots"))
