"""Options that say what a campaign is to do, and what was said by them.

Those of learners, merging and teaching are in `learners`, `merge` and `teaching`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from skills.errors import RequestError
from skills.messages.plans import GatePlan, OnWeakArm, OptimiserName, RuleName

__all__ = [
    "Ahead",
    "Alpha",
    "ArmMargin",
    "Contributions",
    "Deadline",
    "LowRankOption",
    "Margin",
    "MaxStaleness",
    "Mixing",
    "Moments",
    "MostEpisodes",
    "OnWeak",
    "Optimiser",
    "OrderFile",
    "Power",
    "Quorum",
    "Release",
    "Rounds",
    "Rule",
    "Share",
    "StopBelow",
    "StopRounds",
    "Target",
    "Variates",
    "low_rank_said",
    "read_order",
    "said",
    "stop_said",
]

Rounds = Annotated[int | None, typer.Option(help="How many rounds; with --teach, of lessons.")]
Quorum = Annotated[int, typer.Option(help="Fewest deltas that make a round.")]
Target = Annotated[int, typer.Option(help="Close a round at so many deltas; 0 waits for all robots.")]
Deadline = Annotated[float, typer.Option(help="Seconds after which a round closes with its quorum.")]
Rule = Annotated[RuleName | None, typer.Option(help="How deltas are merged; see docs/merging.md.")]
Mixing = Annotated[bool | None, typer.Option(help="Mix each delta with its nearest first; needs byzantine=.")]
Optimiser = Annotated[OptimiserName | None, typer.Option(help="What the server steps with.")]
MaxStaleness = Annotated[int | None, typer.Option(help="How many rounds late a delta may count.")]
Variates = Annotated[bool | None, typer.Option(help="Robots that are unlike share control variates, too.")]
Moments = Annotated[
    bool | None, typer.Option(help="And the moments of gradients; needs --variates or --teach.")
]
LowRankOption = Annotated[
    int | None,
    typer.Option(
        "--low-rank", min=1, max=1024, help="Send factors of so low a rank of each matrix; docs/large.md."
    ),
]
Share = Annotated[
    Literal["all", "policy"] | None, typer.Option(help="Whether the critic is shared or stays at home.")
]
Ahead = Annotated[
    bool, typer.Option("--ahead", help="Begin the next round while a candidate is still measured.")
]
GATE = GatePlan()
Margin = Annotated[
    float | None,
    typer.Option(
        help="Gate: who is so much worse is published with probability --alpha at most. "
        f"Default: {GATE.margin:g}."
    ),
]
ArmMargin = Annotated[
    float | None, typer.Option(help=f"Gate: the same on each arm alone. Default: {GATE.arm_margin:g}.")
]
Alpha = Annotated[float | None, typer.Option(help=f"Gate: see --margin. Default: {GATE.alpha:g}.")]
Power = Annotated[
    float | None,
    typer.Option(
        help="Gate: who is as good is taken for worse with probability 1 - this at most. "
        f"Default: {GATE.power:g}."
    ),
]
MostEpisodes = Annotated[
    int | None,
    typer.Option(
        help=f"Gate: of each arm; what is not clear by then is not published. Default: {GATE.most}."
    ),
]
OnWeak = Annotated[
    OnWeakArm | None,
    typer.Option(
        "--on-weak-arm",
        help="Gate: what becomes of a candidate that fails on one arm: it is rejected, or released for the "
        f"others while robots of that arm keep their version. Default: {GATE.on_weak_arm}.",
    ),
]
Contributions = Annotated[
    bool | None,
    typer.Option(
        "--contributions",
        help="Measure what each delta was good for: N more merges and measurements a round.",
    ),
]
Release = Annotated[
    Literal["stable", "canary"],
    typer.Option(help="stable: what passes is everybody's; canary: the last of it goes ring by ring."),
]
StopBelow = Annotated[
    float | None,
    typer.Option(
        help="End early once the last rounds gained fewer points of success a kWh; see docs/costs.md."
    ),
]
StopRounds = Annotated[
    int, typer.Option(min=1, max=1000, help="So many last rounds are looked at; needs --stop-below.")
]
OrderFile = Annotated[
    Path | None,
    typer.Option(help="A JSON file with fields of a campaign request, instead of the options above."),
]


def low_rank_said(rank: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fields of training and of merging for factors of this rank: a server's momentum has no factors."""
    return ({"low_rank": {"rank": rank}}, {"momentum": 0.0}) if rank else ({}, {})


def stop_said(below: float | None, rounds: int) -> dict[str, Any]:
    """Fields of an order that ends once rounds gain too little."""
    return {} if below is None else {"stop_when": {"points_per_kwh": below, "rounds": rounds}}


def said(**fields: Any) -> dict[str, Any]:
    """Fields that somebody said something of."""
    return {name: value for name, value in fields.items() if value is not None}


def read_order(file: Path) -> dict[str, Any]:
    """Fields of an order from a file.

    Raises:
        RequestError: It has none.
    """
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise RequestError(f"no JSON can be read: {error}.", where=str(file)) from error
    if not isinstance(found, dict):
        raise RequestError("no JSON object.", where=str(file), remedy="Write {...} with fields of an order.")
    return found
