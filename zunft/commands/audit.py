"""`zunft audit`: look at a hub's audit log and prove it whole, on its own database, without the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from zunft.commands.connection import Json
from zunft.commands.output import table, tell

if TYPE_CHECKING:
    from hub.events.audit import AuditLog
from skills.messages.lists import LARGEST_PAGE, AuditQuery

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Who did what: the hub's audit log, read from its database.")

DataDir = Annotated[
    Path | None, typer.Option(help="The hub's folder; other settings come from the environment.")
]


@app.command(
    epilog="Examples: [bold]zunft audit verify[/]; against a hash that was noted earlier: "
    "[bold]zunft audit verify --head 9c41...[/]"
)
def verify(
    data_dir: DataDir = None,
    head: Annotated[
        str, typer.Option(help="Hash that an earlier verify printed; shows a log that was rewritten whole.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Follow the chain of all entries; exit status 1 where it breaks."""
    with _log(data_dir) as log:
        found = log.verify(head)
    verdict = (
        f"[green]OK[/] {found.entries} entries; note the head: {found.head}"
        if found.broken_at is None
        else f"[red]BROKEN[/] at entry {found.broken_at}: {escape(found.reason)}."
    )
    tell(found, verdict, as_json=as_json)
    if found.broken_at is not None:
        raise typer.Exit(1)


@app.command(epilog="Example: [bold]zunft audit show --limit 200 --json[/]")
def show(
    data_dir: DataDir = None,
    cursor: Annotated[str, typer.Option(help="Go on behind a page; it ends with this.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=LARGEST_PAGE, help="How many, oldest first.")] = 50,
    as_json: Json = False,
) -> None:
    """Show entries, oldest first."""
    with _log(data_dir) as log:
        entries = log.entries(AuditQuery(cursor=cursor, limit=limit)).items
    rows = [
        (
            str(entry.number),
            f"{entry.at:%Y-%m-%d %H:%M:%S}",
            entry.actor,
            entry.action,
            entry.subject,
            ", ".join(f"{name} {value}" for name, value in entry.details.items()),
        )
        for entry in entries
    ]
    columns = ("number", "when (UTC)", "who", "did", "to", "details")
    tell(entries, table(columns, rows), as_json=as_json)


@contextmanager
def _log(data_dir: Path | None) -> Iterator[AuditLog]:
    # Imported here: the other commands should not wait for the hub's modules.
    from hub.events.audit import AuditLog  # noqa: PLC0415
    from hub.settings import Settings  # noqa: PLC0415
    from hub.storage.database import existing_database  # noqa: PLC0415

    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    with existing_database(settings.database) as database:
        yield AuditLog(database)
