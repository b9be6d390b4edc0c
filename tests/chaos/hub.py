"""A hub as a process for chaos: `python -m tests.chaos.hub CLOCK`, settings from the environment.

Its gate is quick and by the version's number, its clock is off by the seconds that the file CLOCK holds.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hub.server import serve
from hub.settings import Settings
from skills.messages.plans import GatePlan
from skills.messages.skills import GateReport, ScoreView
from skills.skill import Skill
from tests.hub.idle import NOTHING, does_nothing

REJECTED_EVERY = 5  # versions


def gate(candidate: Skill, current: Skill | None, _: GatePlan) -> GateReport:
    """Every fifth version is worse than the one before it."""
    if does_nothing(candidate):
        return NOTHING
    poor = candidate.manifest.version % REJECTED_EVERY == 0
    return GateReport(
        passed=not poor,
        reason="Measured by its number.",
        candidate=_score(0.1 if poor else 0.5),
        current=_score(0.5) if current else None,
        seconds=0.0,
    )


def _score(success: float) -> ScoreView:
    return ScoreView(score=success, low=0, high=1, episodes=1)


class JumpingClock:
    """The time, and the seconds that a file says beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._path.read_text() or 0))


if __name__ == "__main__":
    serve(Settings(), gate=gate, clock=JumpingClock(Path(sys.argv[1])))
