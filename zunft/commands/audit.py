"""`zunft audit`: look at a hub's audit log and prove it whole, on its own database, without the hub."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from skills.messages.lists import AuditQuery
from zunft.commands.connection import Json, request
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import table, tell
from zunft.commands.settings import DataDir, hub_settings

if TYPE_CHECKING:
    from hub.events.audit import AuditLog

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)


@app.command(
    epilog="Examples: [bold]zunft audit verify[/]; against what the log's collector kept: "
    "[bold]docker compose logs hub | zunft audit verify --heads -[/]"
)
def verify(
    data_dir: DataDir = None,
    head: Annotated[
        str, typer.Option(help="Hash that an earlier verify printed; shows a log that was rewritten whole.")
    ] = "",
    heads: Annotated[
        str,
        typer.Option(
            help="Where heads were noted: a file, an https address, - for standard input; lines of the hub's "
            "own log will do. Without it: where the hub notes them (ZUNFT_AUDIT_HEADS)."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Follow the chain of all entries and compare it with noted heads; exit status 1 where it breaks."""
    # Imported here: the other commands should not wait for the hub's modules.
    from hub.events.witness import heads_at, heads_in  # noqa: PLC0415

    place = heads or hub_settings(data_dir=data_dir).audit_place
    noted = list(heads_in(sys.stdin)) if place == "-" else heads_at(place)
    with _log(data_dir) as log:
        found = log.verify(head, noted)
    compared = (
        f"as noted {found.compared} times at {escape(place)}"
        if found.compared
        else f"[yellow]compared with nothing[/]: no head is noted at {escape(place)}"
    )
    verdict = (
        f"[green]OK[/] {found.entries} entries, {compared}; the head: {found.head}"
        if found.broken_at is None
        else f"[red]BROKEN[/] at entry {found.broken_at}: {escape(found.reason)}."
    )
    tell(found, verdict, as_json=as_json)
    if found.broken_at is not None:
        raise typer.Exit(1)


@app.command(
    epilog="Examples: [bold]zunft audit show --all --json[/]; "
    "[bold]zunft audit show --actor user:maria --sort newest --limit 10[/]"
)
def show(
    data_dir: DataDir = None,
    actor: Annotated[str, typer.Option(help="Only what this one did, such as user:maria.")] = "",
    action: Annotated[str, typer.Option(help="Only what was done so, such as robot.enrolled.")] = "",
    subject: Annotated[str, typer.Option(help="Only what was done to this.")] = "",
    sort: Annotated[Literal["oldest", "newest"], typer.Option(help="Which come first.")] = "oldest",
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show entries."""
    filters = {"actor": actor, "action": action, "subject": subject, "sort": sort}
    query = request(AuditQuery, {**filters, "limit": limit, "cursor": cursor})
    with _log(data_dir) as log:
        page = listed(log.entries, query, whole=whole)
    rows = [
        (
            str(entry.number),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.actor,
            entry.action,
            entry.subject,
            ", ".join(f"{name} {value}" for name, value in entry.details.items()),
        )
        for entry in page.items
    ]
    columns = ("number", "when (UTC)", "who", "did", "to", "details")
    tell_page(page, table(columns, rows), as_json=as_json)


@contextmanager
def _log(data_dir: Path | None) -> Iterator[AuditLog]:
    # Imported here: the other commands should not wait for the hub's modules.
    from hub.events.audit import AuditLog  # noqa: PLC0415
    from hub.storage.database import existing_database  # noqa: PLC0415

    with existing_database(hub_settings(data_dir=data_dir).database) as database:
        yield AuditLog(database)
