"""Processes that begin with the hub's modules in memory: each is forked from a server that has imported them.

To import them takes longer than most tests. Whoever is started so is a process like any other: with its own
environment, signals and end. That the program also starts from nothing is shown by the tests of its commands.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import TextIO

__all__ = ["Forked"]

MODULES = ["hub.server", "tests.hub.replica"]
SERVER = get_context("forkserver")
SERVER.set_forkserver_preload(MODULES)


class Forked:
    """Runs Python code; `stderr` is what it says there.

    Args:
        code: What it runs.
        environment: All of its variables.
    """

    def __init__(self, code: str, environment: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            pipe = Path(folder) / "stderr"
            os.mkfifo(pipe)
            self._process = SERVER.Process(target=_run, args=(code, dict(environment), str(pipe)))
            self._process.start()
            self.stderr: TextIO = pipe.open()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """How it ended, if it has."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """How it ends.

        Raises:
            TimeoutError: It does not.
        """
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutError(f"process {self.pid} does not end")
        return self._process.exitcode

    def end(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()


def _run(code: str, environment: dict[str, str], stderr: str) -> None:
    os.dup2(os.open(stderr, os.O_WRONLY), 2)
    os.environ.clear()
    os.environ.update(environment)
    exec(code, {"__name__": "__main__"})  # noqa: S102 - the tests' own
