"""What a robot says of its work while it works: small, plain, for progress displays and logs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fleet.connection import Traffic

__all__ = ["Phase", "Progress", "Voice"]

Phase = Literal[
    "waiting",
    "scored",
    "pulling",
    "training",
    "kept",
    "pushed",
    "dropped",
    "failed",
    "mastered",
    "held back",
    "adopted",
    "tuned",
    "refused",
    "offline",
]


@dataclass(frozen=True)
class Progress:
    """One thing that happened.

    Attributes:
        robot: The robot's name.
        phase: What it did.
        round: Number of the round, 0 outside of one.
        iteration: Iterations of this round's training that are done.
        steps: Environment steps since the robot started.
        success: Share of episodes that succeeded in training, or in the twin; None where unknown.
        sent: Bytes to the hub since the robot started.
        received: Bytes from the hub since the robot started.
        text: In words.
        learning: Figures of an iteration of training, such as `kl`, by name.
    """

    robot: str
    phase: Phase
    round: int = 0
    iteration: int = 0
    steps: int = 0
    success: float | None = None
    sent: int = 0
    received: int = 0
    text: str = ""
    learning: dict[str, float] = field(default_factory=dict)


class Voice:
    """A robot's voice: adds who it is, where it stands and what it sent so far to what it says."""

    def __init__(self, robot: str, traffic: Traffic, report: Callable[[Progress], None]) -> None:
        self.round = 0
        self.steps = 0
        self.last_text = ""
        self._robot = robot
        self._traffic = traffic
        self._report = report

    def say(
        self,
        phase: Phase,
        text: str = "",
        *,
        success: float | None = None,
        iteration: int = 0,
        learning: dict[str, float] | None = None,
    ) -> None:
        """Report a progress."""
        self.last_text = text
        self._report(
            Progress(
                robot=self._robot,
                phase=phase,
                round=self.round,
                iteration=iteration,
                steps=self.steps,
                success=success,
                sent=self._traffic.sent,
                received=self._traffic.received,
                text=text,
                learning=learning or {},
            )
        )
