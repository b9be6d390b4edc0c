"""`zunft hub`, `zunft token`, `zunft user`: run a hub, let robots and people in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from skills.lists import UserQuery
from skills.messages import EnrolmentTokenRequest, UserRequest, UserRole
from zunft.commands import user_token
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect
from zunft.commands.listing import All, Cursor, Limit, asked, behind, listed

__all__ = ["hub", "token_app", "user_app"]

token_app = typer.Typer(no_args_is_help=True, help="One-time tokens with which robots enrol.")
user_app = typer.Typer(no_args_is_help=True, help="People and their API tokens.")
user_app.add_typer(user_token.app, name="token")
out = Console()


def hub(
    data_dir: Annotated[Path | None, typer.Option(help="Folder for database, blobs and keys.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
) -> None:
    """Run a hub. Every other setting comes from the environment: see docs/settings.md."""
    # Imported here: the other commands should not wait for the web server's modules.
    from hub.server import serve  # noqa: PLC0415
    from hub.settings import Settings  # noqa: PLC0415

    options: dict[str, Any] = {"data_dir": data_dir, "host": host, "port": port}
    settings = Settings(**{name: value for name, value in options.items() if value is not None})
    token = (
        "ZUNFT_ADMIN_TOKEN" if settings.admin_token.get_secret_value() else settings.data_dir / "admin-token"
    )
    out.print(
        f"The hub comes up at http://{settings.host}:{settings.port}; the admin's token is in {token}. "
        "Its log follows, one JSON document a line. Ctrl-C stops it."
    )
    serve(settings)


@token_app.command("create", epilog="Example: [bold]zunft token create --count 4[/]")
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


@user_app.command(
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
    request = UserRequest(name=name, role=role, organisation=organisation, valid_days=valid_days)
    made = connect(hub, token).create_user(request)
    if as_json:
        out.print_json(made.model_dump_json())
    else:
        out.print(f"{made.name} ({made.role}): {made.token}", highlight=False, soft_wrap=True)


@user_app.command("list", epilog="Example: [bold]zunft user list --json[/]")
def list_users(
    token: Token,
    hub: Hub = DEFAULT_HUB,
    text: Annotated[str, typer.Option(help="Part of the name.")] = "",
    organisation: Annotated[str, typer.Option(help="Only users of this one.")] = "",
    role: Annotated[UserRole | None, typer.Option(help="Only these.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show all users and how long the last of their tokens is valid."""
    query = asked(UserQuery, text=text, organisation=organisation, role=role, limit=limit, cursor=cursor)
    page = listed(connect(hub, token).users, query, whole=whole)
    users = page.items
    if as_json:
        out.print_json(page.model_dump_json())
        return
    table = Table("name", "role", "organisation", "token valid until")
    for user in users:
        until = f"{user.expires_at:%Y-%m-%d}" if user.expires_at else "does not expire"
        until = f"signs in at {user.issuer}" if user.issuer else until
        table.add_row(user.name, user.role, user.organisation, until)
    out.print(table)
    if page.next:
        out.print(behind(page), highlight=False, soft_wrap=True)


@user_app.command("revoke", epilog="Example: [bold]zunft user revoke maria[/]")
def revoke_user(name: str, token: Token, hub: Hub = DEFAULT_HUB) -> None:
    """Refuse all of a user's tokens and sessions, for good. Who signs in at an issuer is kept out there."""
    connect(hub, token).revoke_user(name)
    out.print(f"{name} is revoked.", highlight=False)


@user_app.command("sign-out", epilog="Example: [bold]zunft user sign-out maria[/]")
def end_sessions(name: str, token: Token, hub: Hub = DEFAULT_HUB) -> None:
    """End all of a user's sessions in browsers; the token stays valid."""
    connect(hub, token).end_sessions(name)
    out.print(f"{name} is signed out everywhere.", highlight=False)
