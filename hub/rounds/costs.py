"""What a round costs, and whether that was worth it: pure rules.

What a job took is measured where it is done (`hub.workers.metering`); docs/costs.md says what is an estimate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from hub.workers.metering import Spent
from skills.messages.costs import Cost, StopWhen

__all__ = ["Brought", "Ended", "claimed_seconds", "collecting", "not_worth", "working"]

BELIEVED = 4.0
"""A robot's claim counts up to so many times the median: boasting must not end anybody's campaign."""


@dataclass(frozen=True)
class Brought:
    """A delta: its bytes, the processor seconds that it claims, if any, and how many robots are behind it."""

    size: int
    seconds: float | None
    robots: int = 1


@dataclass(frozen=True)
class Ended:
    """A round that is over.

    Attributes:
        success: Of the version that it published; None: it published none.
        kwh: What it cost.
    """

    success: float | None
    kwh: float


def claimed_seconds(deltas: Sequence[Brought]) -> float:
    """Processor seconds behind all deltas of a round, from what each claims.

    Who claims nothing, such as a hall, counts as the median does, robot by robot.
    """
    said = sorted(each.seconds / each.robots for each in deltas if each.seconds is not None)
    if not said:
        return 0.0
    usual = median(said)
    return sum(
        each.robots * (usual if each.seconds is None else min(each.seconds / each.robots, BELIEVED * usual))
        for each in sorted(deltas, key=_in_order)
    )


def _in_order(delta: Brought) -> tuple[bool, float, int]:
    """Sums of floats are the same bits in the same order only."""
    return delta.seconds is None, delta.seconds or 0.0, delta.robots


def collecting(deltas: Sequence[Brought], fetched: int, watts: float) -> Cost:
    """What was spent until a round closed.

    Args:
        deltas: All that count.
        fetched: Bytes of bases that robots were given.
        watts: Of a busy core.
    """
    seconds, received = claimed_seconds(deltas), sum(each.size for each in deltas)
    return Cost(received_bytes=received, sent_bytes=fetched, robot_seconds=seconds, joules=seconds * watts)


def working(spent: Spent, watts: float) -> Cost:
    """What a job of the hub's costs: as counted, or else estimated by the watts of a busy core."""
    joules = spent.core_seconds * watts if spent.joules is None else spent.joules
    return Cost(hub_seconds=spent.core_seconds, joules=joules, counted_joules=spent.joules or 0.0)


def not_worth(stop: StopWhen, before: float, ended: Sequence[Ended]) -> str:
    """Why a campaign is to end, with the figures; empty while its last rounds were worth what they cost.

    Args:
        stop: What was ordered.
        before: Success of the version that the campaign began from, from 0 to 1.
        ended: All its rounds so far, oldest first.
    """
    if len(ended) < stop.rounds:
        return ""
    earlier, last = ended[: -stop.rounds], ended[-stop.rounds :]
    level = max([before, *(each.success for each in earlier if each.success is not None)])
    reached = max([level, *(each.success for each in last if each.success is not None)])
    points, kwh = 100 * (reached - level), sum(each.kwh for each in last)
    if points >= stop.points_per_kwh * kwh:
        return ""
    rounds = f"last {stop.rounds} rounds" if stop.rounds > 1 else "last round"
    return (
        f"The {rounds} gained {points:.2g} points of success for {kwh:.3g} kWh: {points / kwh:.3g} a kWh, "
        f"below the {stop.points_per_kwh:g} that were ordered."
    )
