"""The `zunft` command: mounts the commands of each noun and turns errors into one clear line."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from fleet.cli import fleet_app, robot_app
from skills.errors import ZunftError
from zunft.commands import (
    audit,
    backup,
    campaign,
    embodiment,
    merge,
    organisation,
    scores,
    skill,
    task,
    webhook,
)
from zunft.commands.demo import demo
from zunft.commands.fits import fits
from zunft.commands.hub import token_app, user_app
from zunft.commands.robot import forget, list_robots

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
app.add_typer(backup.app, name="hub")
robot_app.command("list", epilog="Example: [bold]zunft robot list --json[/]")(list_robots)
robot_app.command(
    epilog="Examples: [bold]zunft robot forget r-4f1c20b7d9e8 --dry-run[/]; "
    "with files: [bold]zunft robot forget r-4f1c20b7d9e8 --purge[/]"
)(forget)
app.add_typer(robot_app, name="robot")
app.add_typer(fleet_app, name="fleet")
skill.app.command(
    epilog="Examples: [bold]zunft skill fits weld-seam@stable[/]; a file, on this machine's robot: "
    "[bold]zunft skill fits weld-seam.skill --home zunft-robot[/]"
)(fits)
app.add_typer(skill.app, name="skill")
task.app.command(epilog="Example: [bold]zunft task leaderboard weld-seam[/]")(scores.leaderboard)
task.app.command(
    epilog="Examples: [bold]zunft task score weld-seam@stable[/]; a file, without a hub: "
    "[bold]zunft task score weld-seam.skill --replay weld.replay[/]"
)(scores.score)
task.app.command("replay", epilog="Example: [bold]zunft task replay weld.replay -o weld.gif[/]")(scores.draw)
app.add_typer(task.app, name="task")
app.add_typer(embodiment.app, name="embodiment")
app.add_typer(campaign.app, name="campaign")
app.add_typer(merge.app, name="merge")
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
app.add_typer(organisation.app, name="organisation")
app.add_typer(audit.app, name="audit")
app.add_typer(webhook.app, name="webhook")


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
