"""`zunft user token`: several API tokens a user, each for some purposes and some time."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from skills.errors import RequestError
from skills.lists import ListQuery
from skills.tokens import EVERY_SCOPE, Scope, TokenRequest
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Several API tokens a user, each for some purposes.")
out = Console()

User = Annotated[str, typer.Option(help="Whose; admins may name others.")]


@app.command(
    epilog="Examples: [bold]zunft user token create dashboard --scope read --valid-days 90[/]; "
    "[bold]zunft user token create ci --scope read --scope publish --user maria[/]"
)
def create(
    name: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(EVERY_SCOPE)}; may be repeated. Default: all."),
    ] = None,
    valid_days: Annotated[int, typer.Option(help="How long it is valid, at most as long as yours.")] = 365,
    user: User = "me",
    as_json: Json = False,
) -> None:
    """Make a further token and show it, once."""
    request = TokenRequest(name=name, scopes=_scopes(scope or []) or EVERY_SCOPE, valid_days=valid_days)
    made = connect(hub, token).create_token(user, request)
    if as_json:
        out.print_json(made.model_dump_json())
    else:
        out.print(f"{made.name} ({', '.join(made.scopes)}): {made.token}", highlight=False, soft_wrap=True)


@app.command("list", epilog="Example: [bold]zunft user token list --json[/]")
def list_tokens(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    user: User = "me",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show a user's tokens: what they are for, how long, and when each was used."""
    query = asked(ListQuery, limit=limit, cursor=cursor)
    page = listed(partial(connect(hub, token).tokens, user), query, whole=whole)
    tokens = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("token", "for", "valid until", "last used (UTC)")
    for each in tokens:
        scopes = "everything" if each.scopes == EVERY_SCOPE else ", ".join(each.scopes)
        until = f"{each.expires_at:%Y-%m-%d}" if each.expires_at else "does not expire"
        table.add_row(each.name, scopes, until, _used(each.last_used_at))
    out.print(table)
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@app.command(epilog="Example: [bold]zunft user token revoke dashboard[/]")
def revoke(name: str, token: Token, hub: Hub = DEFAULT_HUB, user: User = "me") -> None:
    """Refuse one token from now on, for good."""
    connect(hub, token).revoke_token(user, name)
    out.print(f"The token {name} is revoked.", highlight=False)


def _scopes(words: list[str]) -> tuple[Scope, ...]:
    for word in words:
        if word not in EVERY_SCOPE:
            raise RequestError(
                f"{word!r} is no scope.", where="--scope", remedy=f"Use some of {', '.join(EVERY_SCOPE)}."
            )
    return tuple(scope for scope in EVERY_SCOPE if scope in words)


def _used(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else "never"
