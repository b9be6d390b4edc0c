"""When a message that was not taken is sent again, and when it is given up. Pure; chance is passed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Schedule"]

FACTOR = 3
LONGEST_REST = timedelta(minutes=1)


@dataclass(frozen=True)
class Schedule:
    """Exponential backoff with jitter.

    Attributes:
        first_seconds: The wait after the first failure; each further one is three times as long.
        attempts: After so many a message is a dead letter.
        chance: Uniform in [0, 1): spreads each wait from half of it to one and a half.
    """

    first_seconds: float
    attempts: int
    chance: Callable[[], float]

    def wait(self, failures: int) -> timedelta | None:
        """How long until a message is tried again that failed so often; None: no more."""
        if failures >= self.attempts:
            return None
        return timedelta(seconds=self.first_seconds * FACTOR ** (failures - 1) * (0.5 + self.chance()))

    def rest(self, failures: int) -> timedelta:
        """How long a receiver is left alone that failed so often in a row, whatever the messages."""
        seconds = self.first_seconds * FACTOR ** min(failures - 1, 20)
        return min(timedelta(seconds=seconds), LONGEST_REST) * (0.5 + self.chance())
