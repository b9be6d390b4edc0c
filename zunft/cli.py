"""The `zunft` command: mounts the commands of each noun and turns errors into one clear line."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from skills.errors import RequestError, ZunftError
from skills.extras import named
from zunft.commands.demo import demo
from zunft.nouns import NOUNS, Noun

__all__ = ["app", "main"]

UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # Typer shows no other name of it

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
for name, line in NOUNS.items():
    app.add_typer(typer.Typer(cls=Noun, help=line), name=name)


MATTER = (
    "zunft",
    "cryptography",
    "fastapi",
    "http-message-signatures",
    "mujoco",
    "nicegui",
    "numpy",
    "ray",
    "sqlalchemy",
    "torch",
    "tuf",
    "uvicorn",
)
"""Packages whose versions decide what is computed, or what is open."""


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - loads slowly

    said = version("zunft")
    if "--json" in sys.argv[1:]:
        found = {"python": sys.version.split()[0]}
        for name in MATTER:
            with suppress(PackageNotFoundError):
                found[name] = version(name)
        said = json.dumps(found)
    print(said)  # noqa: T201 - the one line that a script reads
    raise typer.Exit


def _allow_plain(wanted: bool) -> None:
    if wanted:  # in the environment, so that processes which a command starts know it, too
        os.environ["ZUNFT_INSECURE"] = "1"


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --version: also of the packages that matter.")
    ] = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            envvar="ZUNFT_INSECURE",
            callback=_allow_plain,
            help="Allow plain HTTP to another machine.",
        ),
    ] = False,
) -> None:
    """Robots learn from each other: a guild hall for skills."""


def main() -> None:
    """Run the command; where Zunft refuses, exit status 1 and one line on standard error.

    Status 2 is of wrong settings, and of what Typer finds wrong with the options. With `--json` what is said
    then is a document, too.
    """
    as_json = "--json" in sys.argv[1:]
    try:
        sys.exit(app(standalone_mode=not as_json))
    except ZunftError as error:
        refused, status = error, 2 if error.code == "usage" else 1
    except OSError as error:
        refused, status = RequestError(f"{error.strerror or error}.", where=_file(error), code="file"), 1
    except ModuleNotFoundError as error:
        missing = named(error)
        if missing is None:
            raise
        refused, status = missing, 1
    except typer.Abort:
        refused, status = RequestError("given up.", code="aborted"), 1
    except UsageError as error:
        message = error.format_message()  # type: ignore[attr-defined]
        refused, status = RequestError(message, remedy="See --help.", code="usage"), 2
    from zunft.commands.output import show_error  # noqa: PLC0415 - `zunft --help` needs no messages

    show_error(refused, as_json=as_json)
    sys.exit(status)


def _file(error: OSError) -> str:
    return "" if error.filename is None else str(error.filename)
