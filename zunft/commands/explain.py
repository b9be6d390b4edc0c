"""`zunft skill explain`: which hidden figures of robots and jobs go with a version's failures."""

from __future__ import annotations

from dataclasses import replace

from fleet.client import OperatorClient
from skills.messages.causes import Cause
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, split_reference
from zunft.commands.output import err, table, tell

__all__ = ["explain"]

PATIENCE = 600.0
"""Seconds: the hub measures first."""


def explain(reference: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Say what goes with a version's failures, the surest first; the hub measures it where it has not yet."""
    client = OperatorClient(replace(connect(hub, token).connection, seconds=PATIENCE))
    with err.status("The hub measures on many held-out robots ..."):
        found = client.explain(*split_reference(reference))
    columns = ("where it fails more", "success there", "elsewhere", "lower by", "95 % interval", "by chance")
    summary = f"v{found.version}: {found.success:.1%} success in {found.episodes} episodes."
    rows = [_row(cause) for cause in found.causes]
    tell(found, table(columns, rows) if rows else "Nothing goes with failure.", summary, as_json=as_json)


def _row(cause: Cause) -> tuple[str, ...]:
    interval = f"{cause.low:+.2f} to {cause.high:+.2f}"
    shares = f"{cause.success:.2f}", f"{cause.elsewhere:.2f}", f"{cause.effect:.2f}"
    return cause.in_words(), *shares, interval, f"{cause.chance:.1e}"
