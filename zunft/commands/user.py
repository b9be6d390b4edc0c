"""`zunft user`: people, and their API tokens: several a user, each for some purposes and some time."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import typer
from rich.markup import escape

from skills.errors import RequestError
from skills.messages.lists import ListQuery, UserQuery
from skills.messages.tokens import EVERY_SCOPE, Scope, TokenRequest
from skills.messages.users import InvitationRequest, UserRequest, UserRole, UserView
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request
from zunft.commands.listing import All, Cursor, Limit, Organisation, Text, listed, tell_page
from zunft.commands.output import table, tell

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
token_app = typer.Typer(no_args_is_help=True, help="Several API tokens a user, each for some purposes.")
app.add_typer(token_app, name="token")

User = Annotated[str, typer.Option(help="Whose; admins may name others.")]


@app.command(
    "create", epilog="Example: [bold]zunft user create maria --role operator --organisation 'North Works'[/]"
)
def create_user(
    name: str,
    token: Token,
    role: Annotated[Literal["researcher", "operator", "admin"], typer.Option(help="What they may do.")],
    hub: Hub = DEFAULT_HUB,
    organisation: Annotated[str, typer.Option(help="Where they belong.")] = "guild",
    valid_days: Annotated[int, typer.Option(help="How long the token is valid.")] = 365,
    as_json: Json = False,
) -> None:
    """Create a user and show the first API token, once."""
    wanted = {"name": name, "role": role, "organisation": organisation, "valid_days": valid_days}
    made = connect(hub, token).create_user(request(UserRequest, wanted))
    tell(made, f"{made.name} ({made.role}): {made.token}", as_json=as_json)


@app.command(epilog="Example: [bold]zunft user invite rita --role researcher[/]")
def invite(
    name: str,
    token: Token,
    hub: Hub = DEFAULT_HUB,
    role: Annotated[Literal["researcher", "operator"], typer.Option(help="What they may do.")] = "researcher",
    valid_days: Annotated[int, typer.Option(help="How long the token is valid.")] = 30,
    as_json: Json = False,
) -> None:
    """Let a colleague into your own organisation, by a link that signs in and is shown once."""
    wanted = request(InvitationRequest, {"name": name, "role": role, "valid_days": valid_days})
    made = connect(hub, token).invite(wanted)
    tell(made, f"{made.name} ({made.role}): {hub.rstrip('/')}/login#{made.token}", as_json=as_json)


@app.command(
    "list",
    epilog="Examples: [bold]zunft user list --all --json[/]; "
    "[bold]zunft user list --organisation 'North Works' --role operator[/]",
)
def list_users(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Text = "",
    organisation: Organisation = "",
    role: Annotated[UserRole | None, typer.Option(help="Only those who are.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show users and how long the last of their tokens is valid."""
    filters = {"text": text, "organisation": organisation, "role": role}
    query = request(UserQuery, {**filters, "limit": limit, "cursor": cursor})
    page = listed(connect(hub, token).users, query, whole=whole)
    rows = [(user.name, user.organisation, user.role, _until(user)) for user in page.items]
    shown = table(("name", "organisation", "role", "token valid until"), rows, keys=2)
    tell_page(page, shown, as_json=as_json)


@app.command("revoke", epilog="Example: [bold]zunft user revoke maria[/]")
def revoke_user(name: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """Refuse all of a user's tokens and sessions, for good. Who signs in at an issuer is kept out there."""
    connect(hub, token).revoke_user(name)
    tell({"revoked": name}, f"{escape(name)} is revoked.", as_json=as_json)


@app.command("sign-out", epilog="Example: [bold]zunft user sign-out maria[/]")
def end_sessions(name: str, token: Token, hub: Hub = DEFAULT_HUB, as_json: Json = False) -> None:
    """End all of a user's sessions in browsers; the token stays valid."""
    connect(hub, token).end_sessions(name)
    tell({"signed_out": name}, f"{escape(name)} is signed out everywhere.", as_json=as_json)


@token_app.command(
    "create",
    epilog="Examples: [bold]zunft user token create dashboard --scope read --valid-days 90[/]; "
    "[bold]zunft user token create ci --scope read --scope publish --user maria[/]",
)
def create_token(
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
    wanted = {"name": name, "scopes": _scopes(scope or []) or EVERY_SCOPE, "valid_days": valid_days}
    made = connect(hub, token).create_token(user, request(TokenRequest, wanted))
    tell(made, f"{made.name} ({', '.join(made.scopes)}): {made.token}", as_json=as_json)


@token_app.command("list", epilog="Example: [bold]zunft user token list --all --json[/]")
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
    query = request(ListQuery, {"limit": limit, "cursor": cursor})
    page = listed(partial(connect(hub, token).tokens, user), query, whole=whole)
    rows = [
        (
            each.name,
            "everything" if each.scopes == EVERY_SCOPE else ", ".join(each.scopes),
            f"{each.expires_at:%Y-%m-%d}" if each.expires_at else "does not expire",
            _used(each.last_used_at),
        )
        for each in page.items
    ]
    tell_page(page, table(("token", "for", "valid until", "last used (UTC)"), rows), as_json=as_json)


@token_app.command("revoke", epilog="Example: [bold]zunft user token revoke dashboard[/]")
def revoke_token(
    name: str, token: Token, hub: Hub = DEFAULT_HUB, user: User = "me", as_json: Json = False
) -> None:
    """Refuse one token from now on, for good."""
    connect(hub, token).revoke_token(user, name)
    tell({"revoked": name}, f"The token {escape(name)} is revoked.", as_json=as_json)


def _scopes(words: list[str]) -> tuple[Scope, ...]:
    for word in words:
        if word not in EVERY_SCOPE:
            raise RequestError(
                f"{word!r} is no scope.", where="--scope", remedy=f"Use some of {', '.join(EVERY_SCOPE)}."
            )
    return tuple(scope for scope in EVERY_SCOPE if scope in words)


def _until(user: UserView) -> str:
    if user.issuer:
        return f"signs in at {user.issuer}"
    return f"{user.expires_at:%Y-%m-%d}" if user.expires_at else "does not expire"


def _used(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else "never"
