"""A hub as a process that can be caught in mid-work: `serve_with_trap(folder)`; its settings are variables.

While the folder has a file `trap`, the first measurement writes its process id to `caught` and goes no
further until the trap is gone. Rules that ask the gate are caught in mid-merge by the same.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hub.server import serve
from hub.settings import Settings
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill
from tests.hub.idle import NOTHING, does_nothing

__all__ = ["Trap", "serve_with_trap"]

SCORE = ScoreView(score=0.5, low=0, high=1, episodes=1, mean_return=0.0)


class Trap:
    """Both ends of it: the test sets it, a hub is caught."""

    def __init__(self, folder: Path) -> None:
        self._set, self._caught = folder / "trap", folder / "caught"

    def set(self) -> None:
        """Catch the next one."""
        self._caught.unlink(missing_ok=True)
        self._set.touch()

    def caught(self) -> int | None:
        """The process that was caught."""
        return int(self._caught.read_text()) if self._caught.exists() else None

    def open(self) -> None:
        """Let everybody go on."""
        self._set.unlink()

    def enter(self) -> None:
        """Be caught, if it is set and empty."""
        if self._set.exists() and not self._caught.exists():
            name = self._caught.with_suffix(f".{os.getpid()}")
            name.write_text(str(os.getpid()))
            name.rename(self._caught)
            while self._set.exists():
                time.sleep(0.02)


def serve_with_trap(folder: str) -> None:
    """Run a hub whose gate finds everything equally good."""
    trap = Trap(Path(folder))

    def gate(candidate: Skill, current: Skill | None, __: GatePlan) -> GateReport:
        if does_nothing(candidate):
            return NOTHING
        trap.enter()
        return GateReport(
            passed=True, reason="As good.", candidate=SCORE, current=SCORE if current else None, seconds=0
        )

    serve(Settings(), gate=gate)
