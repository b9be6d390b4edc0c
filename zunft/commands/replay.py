"""`zunft skill replay`: best, median, worst and failed episodes of a version, recorded by the hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fleet.client import OperatorClient
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, split_reference
from zunft.commands.output import err, table, tell

__all__ = ["replay"]

PATIENCE = 600.0
"""Seconds: the hub records first."""


def replay(
    reference: str,
    token: Token,
    embodiment: Annotated[str, typer.Option(help="On which robot.")] = "ur5e",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the recording goes, as JSON.")
    ] = None,
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Say how a version's episodes went; the console plays them at /skills/NAME/replay."""
    client = OperatorClient(replace(connect(hub, token).connection, seconds=PATIENCE))
    with err.status("The hub steps the jobs again ..."):
        found = client.film(*split_reference(reference), embodiment)
    if output is not None:
        output.write_text(found.model_dump_json())
    rows = [
        (
            str(each.place),
            ", ".join(each.kinds),
            "yes" if each.success else "no",
            f"{each.gained:.2f}",
            "; ".join(line.words for line in each.lines if line.decided),
        )
        for each in found.episodes
    ]
    summary = f"v{found.version} on {found.embodiment}: {found.succeeded} of {found.measured} jobs."
    tell(
        found,
        table(("job", "kind", "success", "reward", "what it missed"), rows),
        summary,
        as_json=as_json,
    )
