"""Whether a robot may move: a small machine, pure, whose last state only a person leaves.

    ready ──▶ moving ◀──▶ holding ──▶ stopped ── release ──▶ ready
                └────────────────────────▲

It moves while nothing objects; a guard that objects makes it hold; several in a row, or a robot that fails,
stop it. What moves and what holds it is `fleet.runtime.loop`; a stop is kept, and released, by
`fleet.runtime.stop`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["READY", "Standing", "after", "failed", "rested"]

State = Literal["ready", "moving", "holding", "stopped"]


@dataclass(frozen=True)
class Standing:
    """Where a robot stands.

    Attributes:
        state: Only `moving` may send an action.
        objections: Periods in a row in which a guard objected.
        reason: Of the last objection; of a stop, what a person should look at.
    """

    state: State = "ready"
    objections: int = 0
    reason: str = ""


READY = Standing()


def after(standing: Standing, objection: str, patience: int) -> Standing:
    """The next period's standing.

    Args:
        standing: The last one's.
        objection: What a guard said; empty where none objects.
        patience: So many objections in a row stop the robot.
    """
    if standing.state == "stopped":
        return standing
    if not objection:
        return Standing("moving")
    objections = standing.objections + 1
    return Standing("stopped" if objections >= patience else "holding", objections, objection)


def failed(standing: Standing, reason: str) -> Standing:
    """The robot itself failed or was lost: stopped at once."""
    return standing if standing.state == "stopped" else replace(standing, state="stopped", reason=reason)


def rested(standing: Standing) -> Standing:
    """A job is over: it is ready for the next one, unless it is stopped."""
    return standing if standing.state == "stopped" else READY
