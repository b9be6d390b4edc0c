"""`zunft task publish`, `list --hub`, `versions` and `fetch`: tasks that come from a hub or go to one."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from skills.errors import ConflictError, RequestError
from skills.messages.lists import TaskQuery, TaskVersionQuery
from skills.messages.skills import Visibility
from skills.messages.tasks import TaskState
from skills.signing import VerifyKey
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect, request, split_reference
from zunft.commands.listing import All, Cursor, Limit, listed, tell_page
from zunft.commands.output import err, finding_line, table, tell

__all__ = ["app", "list_hub_tasks"]

app = typer.Typer()

LOOK_SECONDS = 0.5


@app.command(
    epilog="Examples: [bold]zunft task publish ./stack-bricks[/]; for your organisation alone: "
    "[bold]zunft task publish ./stack-bricks --visibility organisation[/]"
)
def publish(
    folder: Annotated[str, typer.Argument(help="A bundle's folder, or a task of this package by name.")],
    token: Token,
    hub: Hub = DEFAULT_HUB,
    visibility: Annotated[
        Visibility | None,
        typer.Option(help="Who may see a new task; default: what your organisation has decided."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the hub's check, and show what it found.")] = True,
    as_json: Json = False,
) -> None:
    """Publish a task at a hub, which checks it before it lists it; a new name becomes your organisation's."""
    from envs.archive import pack  # noqa: PLC0415 - MuJoCo
    from envs.task import load_task  # noqa: PLC0415

    client = connect(hub, token)
    version = client.publish_task(pack(load_task(folder).folder), visibility)
    if wait:
        with err.status(f"The hub checks {version.task} v{version.version} ..."):
            while version.state == "checking":
                time.sleep(LOOK_SECONDS)
                version = client.task_version(version.task, version.version)
    said = f"{version.task} v{version.version}: {version.state} ({version.digest})"
    tell(version, said, *map(finding_line, version.findings), as_json=as_json)
    if version.state == "refused":
        raise typer.Exit(1)


def list_hub_tasks(hub: str, token: str, query: TaskQuery, *, whole: bool, as_json: bool) -> None:
    """Show a hub's tasks."""
    page = listed(connect(hub, token).tasks, query, whole=whole)
    rows = [
        (each.name, each.organisation, each.title, each.state, f"v{each.versions[-1]}", each.visibility)
        for each in page.items
    ]
    columns = ("task", "owner", "what", "state", "newest", "seen by")
    shown = table(columns, rows) if rows else "No tasks here: zunft task publish FOLDER."
    tell_page(page, shown, as_json=as_json)


@app.command(epilog="Example: [bold]zunft task versions stack-bricks --state refused[/]")
def versions(
    name: Annotated[str, typer.Argument(help="A task of the hub.")],
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    state: Annotated[TaskState | None, typer.Option(help="Only versions in this state.")] = None,
    limit: Limit = 50,
    cursor: Cursor = "",
    whole: All = False,
    as_json: Json = False,
) -> None:
    """Show a task's versions, newest first, and what the hub's check made of each."""
    query = request(TaskVersionQuery, {"state": state, "limit": limit, "cursor": cursor})
    page = listed(partial(connect(hub, token).task_versions, name), query, whole=whole)
    rows = [
        (
            f"v{each.version}",
            each.state,
            "; ".join(finding.check for finding in each.findings if not finding.passed),
            each.licence,
            f"{each.size / 1000:.1f} kB",
            f"{each.created_at:%Y-%m-%d %H:%M}",
        )
        for each in page.items
    ]
    columns = ("version", "state", "missed", "licence", "size", "made (UTC)")
    tell_page(page, table(columns, rows, title=name), as_json=as_json)


@app.command(epilog="Example: [bold]zunft task fetch stack-bricks@2 --folder tasks[/]")
def fetch(
    reference: Annotated[str, typer.Argument(help="NAME, or NAME@7; the newest listed version if not said.")],
    folder: Annotated[
        Path, typer.Option(envvar="ZUNFT_TASKS", help="Folder of your own tasks; it goes into one inside.")
    ] = Path("tasks"),
    hub_key: Annotated[
        str, typer.Option(help="Accept only what this key signed; `zunft robot join` shows it.")
    ] = "",
    token: Token = "",
    hub: Hub = DEFAULT_HUB,
    as_json: Json = False,
) -> None:
    """Download a task, verify its digest, and its signature where the hub's key is given, and unpack it."""
    from envs.bundle import digest_folder  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import fetch_task, listed_version  # noqa: PLC0415

    name, number = split_reference(reference)
    client = connect(hub, token)
    version = (
        listed_version(client.connection, name)
        if number == "stable"
        else client.task_version(name, _number(number))
    )
    target = folder / version.task
    if target.exists() and digest_folder(target) != version.bundle:
        raise ConflictError(
            f"{target} is there already, and differs.",
            where="--folder",
            remedy="Move it away, or choose another folder.",
        )
    fetch_task(client.connection, version, VerifyKey(hub_key) if hub_key else None, target)
    tell(
        {"folder": target, **version.model_dump()},
        f"{target}: {version.task} v{version.version}, {version.bundle}",
        f"Robots and hub find it by name with [bold]ZUNFT_TASKS={folder.resolve()}[/]",
        as_json=as_json,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RequestError(f"{text!r} is no number of a version.", remedy="Write NAME, or NAME@7.")
    return int(text)
