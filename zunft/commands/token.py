"""`zunft token`: one-time tokens with which robots enrol."""

from __future__ import annotations

from typing import Annotated

import typer

from skills.messages.robots import EnrolmentTokenRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.output import tell

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def token() -> None:
    """One-time tokens with which robots enrol."""


@app.command("create", epilog="Example: [bold]zunft token create --count 4[/]")
def create_tokens(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    count: Annotated[int, typer.Option(help="How many; one a robot.")] = 1,
    organisation: Annotated[str, typer.Option(help="Who owns the robots; default: your organisation.")] = "",
    hall_robots: Annotated[
        int | None,
        typer.Option(help="For a hall that joins this one: for how many robots it may count at most."),
    ] = None,
    hours: Annotated[float, typer.Option(help="How long they may be used.")] = 24,
    as_json: Json = False,
) -> None:
    """Make tokens that each enrol one robot. They are shown once."""
    seconds = int(hours * 3600)
    wanted: dict[str, object] = {
        "hall_robots": hall_robots,
        "organisation": organisation or None,
        "count": count,
        "valid_seconds": seconds,
    }
    made = connect(hub, token).create_tokens(request(EnrolmentTokenRequest, wanted))
    tell(made, *(each.token for each in made), as_json=as_json)
