"""Pages that a process of its own builds: what is left to the hub's, and that both end together."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from benchmarks.visitors import socket_of
from skills.messages.base import API
from tests.eventually import eventually
from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.running import RunningHub, running_hub
from tests.hub.test_supervisor import children

PATIENCE = 60.0
PAGES = 30


def cpu_of(pid: int) -> int:
    """Processor time of a process, in ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def client_of(hub: RunningHub) -> Iterator[httpx.Client]:
    token = {"Authorization": f"Bearer {ADMIN}"}
    with httpx.Client(base_url=hub.address, timeout=PATIENCE) as client:
        ok(client.post(f"{API}/skills", content=tiny_skill().to_bytes(), headers=token))
        yield client


def test_pages_cost_the_process_that_answers_robots_little(tmp_path: Path) -> None:
    settings = {"ZUNFT_CONSOLE": "true", "ZUNFT_PAGE_RATE_LIMIT": "0"}
    with running_hub(tmp_path, **settings) as hub, client_of(hub) as client:
        assert children(hub.pid) == []  # nobody has asked for a page
        assert "/skills/reach" in ok(client.get("/")).text
        (console,) = children(hub.pid)
        assert os.getpriority(os.PRIO_PROCESS, console) > os.getpriority(os.PRIO_PROCESS, hub.pid)
        before = cpu_of(hub.pid), cpu_of(console)
        for _ in range(PAGES):
            ok(client.get("/skills/reach"))
        here, there = cpu_of(hub.pid) - before[0], cpu_of(console) - before[1]
        assert here < there / 2
        assert hub.stop() == -signal.SIGTERM
        assert not Path(f"/proc/{console}").exists()


def test_pages_come_back_after_their_process_died_and_end_with_the_hub(tmp_path: Path) -> None:
    with running_hub(tmp_path, ZUNFT_CONSOLE="true") as hub, client_of(hub) as client:
        ok(client.get("/"))
        (first,) = children(hub.pid)
        os.kill(first, signal.SIGKILL)
        assert "/skills/reach" in ok(client.get("/")).text
        (second,) = children(hub.pid)
        assert second != first
        hub.kill()
        eventually(lambda: not Path(f"/proc/{second}").exists())


def test_sockets_reach_their_page_and_what_is_private_stays_so(tmp_path: Path) -> None:
    settings = {"ZUNFT_CONSOLE": "true", "ZUNFT_PUBLIC_CATALOGUE": "false"}
    with running_hub(tmp_path, **settings) as hub, client_of(hub) as client:
        assert client.get("/").status_code == 303
        given = client.post(f"{API}/sessions", json={"token": ADMIN}, headers={"Origin": hub.address})
        client.cookies.set("zunft-session", ok(given).cookies["zunft-session"])
        page = ok(client.get("/")).text
        assert "/skills/reach" in page
        assert f"--hub {hub.address}" in ok(client.get("/skills/reach")).text  # as the browser typed it
        address = "ws://" + urlsplit(hub.address).netloc + socket_of(page)
        with connect(address, origin=Origin(hub.address)) as line:
            assert str(line.recv()).startswith("0{")
            line.send("40")
            assert str(line.recv()).startswith("40")
        with pytest.raises(InvalidStatus), connect(address):
            pass
