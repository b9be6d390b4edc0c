"""`zunft skill compare`: two versions on the same jobs arm by arm, and how far their numbers lie apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from fleet.client import OperatorClient
from skills.messages.comparisons import ArmComparison
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, split_reference
from zunft.commands.explain import PATIENCE
from zunft.commands.output import err, table, tell

__all__ = ["compare"]


def compare(
    reference: str,
    other: Annotated[str, typer.Argument(help="Another version or channel of the same skill.")],
    token: Token,
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Hold two versions to each other on the same jobs; the hub runs them where it has not yet."""
    client = OperatorClient(replace(connect(hub, token).connection, seconds=PATIENCE))
    with err.status("The hub runs both on many held-out robots ..."):
        found = client.compare(*split_reference(reference), other)
    older, newer = f"v{found.left}", f"v{found.right}"
    columns = ("arm", older, newer, f"only {newer}", f"only {older}", "difference", "95 % interval")
    moved = ", ".join(f"{each.name} {each.relative:.3g}" for each in found.weights.largest[:3])
    summary = f"Weights lie {found.weights.relative:.3g} apart, relative to {older}; farthest: {moved}."
    tell(found, table(columns, [_row(arm) for arm in found.arms]), summary, as_json=as_json)


def _row(arm: ArmComparison) -> tuple[str, ...]:
    shares = f"{arm.left / arm.jobs:.1%}", f"{arm.right / arm.jobs:.1%}"
    interval = f"{arm.low:+.1%} to {arm.high:+.1%}"
    return arm.embodiment, *shares, str(arm.wins), str(arm.losses), f"{arm.difference:+.1%}", interval
