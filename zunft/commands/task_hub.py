"""`zunft task publish`, `list --hub` and `fetch`: tasks that come from a hub or go to one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from fleet.lists import everything
from skills.errors import ConflictError
from skills.lists import TaskQuery
from skills.messages import Visibility
from skills.signing import VerifyKey
from skills.tasks import TaskVersionView
from zunft.commands.connection import DEFAULT_HUB, Hub, Json, Token, connect

__all__ = ["fetch", "list_hub_tasks", "publish"]

LOOK_SECONDS = 0.5
out = Console()


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
        with out.status(f"The hub checks {version.task} v{version.version} ..."):
            while version.state == "checking":
                time.sleep(LOOK_SECONDS)
                version = client.task_version(version.task, version.version)
    if as_json:
        out.print_json(version.model_dump_json())
        if version.state == "refused":
            raise typer.Exit(1)
        return
    _tell(version)


def _tell(version: TaskVersionView) -> None:
    from envs.examine import Finding  # noqa: PLC0415 - MuJoCo
    from zunft.findings import show_findings  # noqa: PLC0415

    out.print(f"{version.task} v{version.version}: {version.state} ({version.digest})", soft_wrap=True)
    show_findings([Finding(**each.model_dump()) for each in version.findings], out, as_json=False)


def list_hub_tasks(hub: str, token: str, *, as_json: bool) -> None:
    """Show a hub's tasks."""
    tasks = list(everything(connect(hub, token).tasks, TaskQuery()))
    if as_json:
        out.print_json(data=[each.model_dump(mode="json") for each in tasks])
        return
    table = Table("task", "what", "state", "version", "licence", "organisation", "seen by")
    for each in tasks:
        version = f"v{each.versions[-1]}"
        owner = each.organisation, each.visibility
        table.add_row(each.name, each.title, each.state, version, each.licence, *owner)
    out.print(table if tasks else "No tasks yet: zunft task publish FOLDER.")


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
) -> None:
    """Download a task, verify its digest, and its signature where the hub's key is given, and unpack it."""
    from envs.bundle import digest_folder  # noqa: PLC0415 - MuJoCo
    from fleet.tasks import fetch_task, listed_version  # noqa: PLC0415

    name, _, number = reference.partition("@")
    client = connect(hub, token)
    version = (
        client.task_version(name, _number(number)) if number else listed_version(client.connection, name)
    )
    target = folder / version.task
    if target.exists() and digest_folder(target) != version.bundle:
        raise ConflictError(
            f"{target} is there already, and differs.",
            where="--folder",
            remedy="Move it away, or choose another folder.",
        )
    fetch_task(client.connection, version, VerifyKey(hub_key) if hub_key else None, target)
    out.print(
        f"{target}: {version.task} v{version.version}, {version.bundle}\n"
        f"Robots and hub find it by name with [bold]ZUNFT_TASKS={folder.resolve()}[/]",
        soft_wrap=True,
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise typer.BadParameter(f"{text!r} is no number of a version")
    return int(text)
