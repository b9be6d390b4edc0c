"""`zunft token`: one-time tokens with which robots enrol."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from skills.messages.lists import ListQuery
from skills.messages.robots import EnrolmentTokenRequest, JoinToken
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import table, tell

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


@app.command("list", epilog="Example: [bold]zunft token list --all[/]")
def list_tokens(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show tokens with which a robot could still join: who made them, and until when."""
    query = request(ListQuery, {"limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).join_tokens, query, whole=whole)
    rows = [
        (each.token_id, each.organisation, each.issued_by, f"{each.expires_at:%Y-%m-%d %H:%M}", _for(each))
        for each in page.items
    ]
    columns = ("token", "organisation", "made by", "valid until (UTC)", "for")
    tell_page(page, table(columns, rows) if rows else "No token is left.", as_json=as_json)


@app.command("revoke", epilog="Example: [bold]zunft token revoke 0f3a91c25d7be846[/]")
def revoke_token(token_id: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Let nobody join with a token any more; robots that have joined stay."""
    connect(hub, token).revoke_join_token(token_id)
    tell({"revoked": token_id}, f"Nobody joins with {escape(token_id)} any more.", as_json=as_json)


def _for(each: JoinToken) -> str:
    return "one robot" if each.hall_robots is None else f"a hall of at most {each.hall_robots} robots"
