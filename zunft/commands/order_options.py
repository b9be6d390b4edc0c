"""Options that say what a campaign is to do, and what was said by them.

Those of learners, merging and teaching are in `learners`, `merge` and `teaching`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from skills.errors import RequestError
from skills.messages.plans import OptimiserName, RuleName

__all__ = [
    "Ahead",
    "Deadline",
    "MaxStaleness",
    "Mixing",
    "Moments",
    "Optimiser",
    "OrderFile",
    "Quorum",
    "Release",
    "Rounds",
    "Rule",
    "Share",
    "Target",
    "Variates",
    "read_order",
    "said",
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
Share = Annotated[
    Literal["all", "policy"] | None, typer.Option(help="Whether the critic is shared or stays at home.")
]
Ahead = Annotated[
    bool, typer.Option("--ahead", help="Begin the next round while a candidate is still measured.")
]
Release = Annotated[
    Literal["stable", "canary"],
    typer.Option(help="stable: what passes is everybody's; canary: the last of it goes ring by ring."),
]
OrderFile = Annotated[
    Path | None,
    typer.Option(help="A JSON file with fields of a campaign request, instead of the options above."),
]


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
