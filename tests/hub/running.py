"""A hub as a real process on a free port, for tests that need sockets, signals or a crash."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.eventually import eventually
from tests.hub.conftest import ADMIN
from tests.hub.forked import Forked

PATIENCE = 60  # seconds, far below the time that this hub gives to open requests
START = "from hub.server import serve; from hub.settings import Settings; serve(Settings())"


class RunningHub:
    """The process, its address and its log."""

    def __init__(self, process: Forked) -> None:
        self._process = process
        self.log: list[dict[str, object]] = []
        self.address = self._read_address()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended, if it has."""
        return self._process.poll()

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """As an operator would; returns the exit status, or raises when requests hold the hub up."""
        self._process.end()
        status = self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until the log says so."""
        eventually(condition, lambda: self.log[-10:], alive=lambda: self._process.poll() is None)

    def _read_address(self) -> str:
        for line in self._stderr():
            self.log.append(json.loads(line))
            if self.log[-1]["event"] == "hub.listening":
                return str(self.log[-1]["address"])
        raise RuntimeError(f"the hub did not start: {self.log}")

    def _read_log(self) -> None:
        self.log.extend(json.loads(line) for line in self._stderr())

    def _stderr(self) -> Iterator[str]:
        # Not the pipe itself, which would be closed with the generator.
        yield from iter(self._process.stderr.readline, "")


@contextmanager
def running_hub(data_dir: Path, *, start: str = START, **settings: str) -> Iterator[RunningHub]:
    """Start a hub on this folder; killed at the end if it still runs.

    Args:
        data_dir: Its folder.
        start: What its process runs.
        settings: Further ones, by their names in the environment.
    """
    environment = {
        **os.environ,
        "ZUNFT_DATA_DIR": str(data_dir),
        "ZUNFT_PORT": "0",
        "ZUNFT_CONSOLE": "false",
        "ZUNFT_LEADERBOARDS": "false",
        "ZUNFT_MERGE_DEVICE": "cpu",  # looking for a GPU takes seconds
        "ZUNFT_ADMIN_TOKEN": ADMIN,
        "ZUNFT_MESSAGE_LIMIT": "65536",
        "ZUNFT_SHUTDOWN_SECONDS": "600",
        **settings,
    }
    process = Forked(start, environment)
    try:
        yield RunningHub(process)
    finally:
        process.kill()
        process.wait()
