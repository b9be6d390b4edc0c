"""The `zunft` command: mounts the commands of each noun and turns errors into one clear line."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from skills.errors import ZunftError
from zunft.commands import (
    audit,
    campaign,
    embodiment,
    fleet,
    hub,
    merge,
    organisation,
    robot,
    skill,
    task,
    token,
    user,
    webhook,
)
from zunft.commands.demo import demo

__all__ = ["app", "main"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Robots learn from each other: a guild hall for skills.",
    epilog="Start with [bold]zunft demo[/]. Each command explains itself: [bold]zunft robot --help[/].",
)
app.command(
    epilog="Example: [bold]zunft demo --json result.json[/]; a short one: [bold]zunft demo --fast[/]"
)(demo)
NOUNS = {
    "hub": hub,
    "robot": robot,
    "fleet": fleet,
    "skill": skill,
    "task": task,
    "embodiment": embodiment,
    "campaign": campaign,
    "merge": merge,
    "token": token,
    "user": user,
    "organisation": organisation,
    "audit": audit,
    "webhook": webhook,
}
for name, noun in NOUNS.items():
    app.add_typer(noun.app, name=name)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(version("zunft"))  # noqa: T201 - the one line that a script reads
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Robots learn from each other: a guild hall for skills."""


def main() -> None:
    """Run the command; exit status 1 and one line on standard error where Zunft refuses."""
    try:
        app()
    except ZunftError as error:
        Console(stderr=True).print(f"[bold red]error[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
