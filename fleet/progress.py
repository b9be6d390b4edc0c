"""What a robot says of its work while it works: small, plain, for progress displays and logs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Phase", "Progress"]

Phase = Literal[
    "waiting",
    "scored",
    "pulling",
    "training",
    "kept",
    "pushed",
    "dropped",
    "failed",
    "adopted",
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
