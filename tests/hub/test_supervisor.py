"""Several processes on one port: what dies is started anew, nothing is lost, and all end together."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import httpx
import pytest

from hub.settings import Settings
from hub.storage.database import SettingsError
from hub.supervisor import serve_with
from skills.messages.base import API
from tests.hub.conftest import ADMIN, empty, ok
from tests.hub.running import RunningHub, running_hub

START = "from hub.supervisor import serve_with; from hub.settings import Settings; serve_with(Settings(), 2)"
OPERATOR = {"Authorization": f"Bearer {ADMIN}"}


def listening(hub: RunningHub, many: int) -> None:
    """Until so many processes have said that they listen; the hub's end is one of the test, too."""
    hub.wait(lambda: sum(line["event"] == "hub.listening" for line in hub.log) >= many)


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for task in tasks for child in task.read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_two_processes_serve_one_port_and_one_that_dies_is_started_anew(
    tmp_path: Path, database_server: str
) -> None:
    empty(database_server)
    with running_hub(tmp_path, start=START, ZUNFT_DATABASE_URL=database_server) as hub:
        listening(hub, 2)
        made = []
        for number in range(20):  # a connection each: whoever takes it
            answer = httpx.post(
                hub.address + API + "/organisations", json={"name": f"o{number}"}, headers=OPERATOR
            )
            made.append(ok(answer).json()["name"])
        os.kill(children(hub.pid)[0], signal.SIGKILL)
        listening(hub, 3)
        assert any(line["event"] == "hub.process_died" for line in hub.log)
        with httpx.Client(base_url=hub.address, headers=OPERATOR) as client:
            page = ok(client.get(API + "/organisations")).json()
            listed = {each["name"] for each in page["items"]}
        assert set(made) <= listed
        assert hub.stop() == 0
        assert hub.log[-1]["event"] == "hub.all_closed"


def test_sqlite_is_one_process_s(tmp_path: Path) -> None:
    settings = Settings.model_validate({"data_dir": tmp_path, "console": False})
    with pytest.raises(SettingsError, match="SQLite") as refused:
        serve_with(settings, 2)
    assert refused.value.where == "database_url"
    assert list(tmp_path.iterdir()) == []
