"""The `zunft` command: mounts the commands of each noun and turns errors into one clear line."""

from __future__ import annotations

import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fleet.cli import fleet_app, robot_app
from skills.errors import RequestError, ZunftError
from zunft.commands import campaign, skill
from zunft.commands.demo import demo
from zunft.commands.hub import hub, token_app, user_app

__all__ = ["app", "main"]

PACKAGES = ("skills", "envs", "fleet", "hub")

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
app.command(epilog="Example: [bold]zunft hub --data-dir zunft-data --port 8080[/]")(hub)
app.add_typer(robot_app, name="robot")
app.add_typer(fleet_app, name="fleet")
app.add_typer(skill.app, name="skill")
app.add_typer(campaign.app, name="campaign")
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Robots learn from each other: a guild hall for skills."""
    if show_version:
        print(version("zunft"))  # noqa: T201 - the one line that a script reads
        raise typer.Exit
    check_packages()


def check_packages() -> None:
    """Refuse to run where somebody's own `envs` or `skills` folder hides ours.

    Raises:
        RequestError: Names the folder.
    """
    here = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        spec = find_spec(name)
        found = Path(str(spec.origin if spec else None)).resolve().parent
        if found != here / name:
            raise RequestError(
                f"the package {name!r} comes from {found}, not from Zunft.",
                where=str(found),
                remedy="Rename that folder, or run from another one.",
            )


def main() -> None:
    """Run the command; exit status 1 and one line on standard error where Zunft refuses."""
    try:
        app()
    except ZunftError as error:
        Console(stderr=True).print(f"[bold red]error[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(1)
