"""What rounds cost, in bytes, processor seconds and energy, and when a campaign is no longer worth that."""

from __future__ import annotations

from pydantic import Field

from skills.messages.base import Message

__all__ = ["SECONDS_CLAIMED", "Cost", "StopWhen"]

SECONDS_CLAIMED = "processor_seconds"
"""Metric of a delta under which a robot says what its training took."""
JOULES_OF_KWH = 3.6e6
SECONDS_OF_HOUR = 3600


class Cost(Message):
    """What one round took, or several together (docs/costs.md).

    Attributes:
        received_bytes: Of the deltas that count: measured.
        sent_bytes: Of bases: an estimate, as if each robot that was given the round fetched its base once.
        hub_seconds: Processor time of merging and measuring: measured.
        robot_seconds: Processor time of training: what robots claim, none much more than the others.
        joules: Of hub and robots.
        counted_joules: So much of that was counted by the hub's machines; the rest is estimated.
    """

    received_bytes: int = Field(default=0, ge=0)
    sent_bytes: int = Field(default=0, ge=0)
    hub_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    robot_seconds: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    joules: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    counted_joules: float = Field(default=0.0, ge=0, allow_inf_nan=False)

    @property
    def core_hours(self) -> float:
        """Of hub and robots."""
        return (self.hub_seconds + self.robot_seconds) / SECONDS_OF_HOUR

    @property
    def kwh(self) -> float:
        """Of hub and robots."""
        return self.joules / JOULES_OF_KWH

    def in_words(self) -> str:
        """On one line: `0.02 core-hours (hub 12 %), 8e-05 kWh (estimated), 0.6 MB received, 1.5 MB sent`."""
        seconds = self.hub_seconds + self.robot_seconds
        hub = f" (hub {self.hub_seconds / seconds:.0%})" if seconds else ""
        counted = self.counted_joules / self.joules if self.joules else 0.0
        how = f"{counted:.0%} measured" if counted else "estimated"
        return (
            f"{self.core_hours:.3g} core-hours{hub}, {self.kwh:.3g} kWh ({how}), "
            f"{self.received_bytes / 1e6:,.1f} MB received, {self.sent_bytes / 1e6:,.1f} MB sent"
        )


class StopWhen(Message):
    """A campaign ends once its last rounds gained less than this for what they cost.

    Attributes:
        points_per_kwh: Points of success, of 100, by which the best version must have become better for each
            kWh of hub and robots.
        rounds: So many last rounds are looked at together, since a single one gains by chance.
    """

    points_per_kwh: float = Field(gt=0, le=1e12, allow_inf_nan=False)
    rounds: int = Field(default=5, ge=1, le=1000)

    def in_words(self) -> str:
        """On one line."""
        return f"{self.rounds} rounds gained less than {self.points_per_kwh:g} points of success a kWh"
