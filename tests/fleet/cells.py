"""A cell's server in a thread of the test, and as a process of its own; time is its driver's."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from fleet.cell.cell import Cell
from fleet.cell.server import CellServer
from skills.manifest import Contract


class Line(gymnasium.Env[NDArray[np.float32], NDArray[np.float32]]):
    """A cart on a line, as tests/fleet/runtime/robots.py has it; writes down what it was told."""

    def __init__(self, length: int = 1000) -> None:
        self.observation_space = Box(-np.inf, np.inf, (1,), np.float32)
        self.action_space = Box(-1, 1, (1,), np.float32)
        self.length, self.told, self.resets = length, list[float](), 0
        self._place, self._steps = 0.0, 0

    def reset(self, **_: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        self.resets += 1
        self._place, self._steps = 0.0, 0
        return np.zeros(1, np.float32), {}

    def step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self.told.append(float(action[0]))
        self._place += 0.02 * float(action[0])
        self._steps += 1
        over = self._steps == self.length
        info = {"success": self._place > 0} if over else {}
        return np.array([self._place], np.float32), 0.0, False, over, info


@contextmanager
def serving(env: gymnasium.Env[Any, Any], contract: Contract) -> Iterator[CellServer]:
    """In lockstep: each SEND or HOLD is a period. Killed to order, it is just gone."""
    over = threading.Event()
    server = CellServer(Cell(env, contract), clock=None, die=over.set)
    thread = threading.Thread(target=server.serve, args=(over.is_set,))
    thread.start()
    try:
        yield server
    finally:
        over.set()
        thread.join()


@contextmanager
def cell_process(*words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`zunft robot cell ...`: its address, and the process."""
    line = [sys.executable, "-m", "zunft", "robot", "cell", *words, "--json"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = ""
            while "}" not in said:
                found = process.stdout.readline()
                assert found, "the cell ended before it said where it is"
                said += found
            yield json.loads(said)["address"], process
        finally:
            process.kill()
