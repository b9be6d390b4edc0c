"""What a hub writes nobody else on its machine can read, whatever the shell that started it allows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from skills.messages.base import API, BLOB
from tests.hub.conftest import ADMIN, ok, tiny_skill
from tests.hub.running import START, running_hub

ANYBODY = "import os; os.umask(0); "
COMMAND = ANYBODY + "from zunft.cli import main; main()"


def open_to_others(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    assert found
    return [path for path in found if path.stat().st_mode & 0o077]


def test_no_file_of_a_hub_or_its_backup_is_for_others(tmp_path: Path) -> None:
    data, backups = tmp_path / "made" / "hub", tmp_path / "backups"
    backups.mkdir(mode=0o700)
    with running_hub(data, start=ANYBODY + START) as hub:
        operator = {"Authorization": f"Bearer {ADMIN}"}
        headers = {**operator, "Content-Type": BLOB}
        ok(httpx.post(f"{hub.address}{API}/skills", content=tiny_skill().to_bytes(), headers=headers))
        assert open_to_others(data) == []
        hub.stop()
    for command in (
        ["backup", str(backups / "hub.tar")],
        ["restore", str(backups / "hub.tar"), "--unverified"],
    ):
        folder = data if command[0] == "backup" else tmp_path / "again"
        words = [sys.executable, "-c", COMMAND, "hub", *command, "--data-dir", str(folder)]
        done = subprocess.run(words, env=os.environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert open_to_others(data, backups, tmp_path / "again") == []
