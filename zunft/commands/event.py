"""`zunft event`: what happened at a hub, as far as one may see it."""

from __future__ import annotations

from typing import Annotated

import typer

from skills.messages.lists import EventQuery
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import table

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command(
    "list",
    epilog="Examples: [bold]zunft event list --skill weld-seam[/]; "
    "all of a kind, for a script: [bold]zunft event list --kind version.published --all --json[/]",
)
def list_events(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    kind: Annotated[str, typer.Option(help="Only of this kind, such as round.published.")] = "",
    skill: Annotated[str, typer.Option(help="Only about this skill.")] = "",
    robot: Annotated[str, typer.Option(help="Only what happened to this robot.")] = "",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show events, newest first."""
    filters = {"kind": kind, "skill": skill, "robot": robot}
    query = request(EventQuery, {**filters, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).past_events, query, whole=whole)
    rows = [
        (
            str(each.id),
            f"{each.at:%Y-%m-%d %H:%M:%S}",
            each.kind,
            ", ".join(f"{name} {value}" for name, value in each.data.items() if name != "digest"),
        )
        for each in page.items
    ]
    shown = table(("number", "when (UTC)", "what", "details"), rows) if rows else "Nothing happened here."
    tell_page(page, shown, as_json=as_json)
