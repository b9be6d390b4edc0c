"""`zunft token`: one-time tokens with which robots enrol."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from skills.messages import EnrolmentTokenRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="One-time tokens with which robots enrol.")
out = Console()


@app.callback()
def token() -> None:
    """One-time tokens with which robots enrol."""


@app.command("create", epilog="Example: [bold]zunft token create --count 4[/]")
def create_tokens(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    count: Annotated[int, typer.Option(help="How many; one a robot.")] = 1,
    organisation: Annotated[str, typer.Option(help="Who owns the robots; default: your organisation.")] = "",
    hours: Annotated[float, typer.Option(help="How long they may be used.")] = 24,
    as_json: Json = False,
) -> None:
    """Make tokens that each enrol one robot. They are shown once."""
    seconds = int(hours * 3600)
    request = EnrolmentTokenRequest(organisation=organisation or None, count=count, valid_seconds=seconds)
    tokens = connect(hub, token).create_tokens(request)
    if as_json:
        out.print_json(data=[made.model_dump(mode="json") for made in tokens])
        return
    for made in tokens:
        out.print(made.token, highlight=False, soft_wrap=True)
