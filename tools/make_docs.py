"""Write the pages that repeat what the code knows: settings, commands, endpoints.

`python -m tools.make_docs` writes them; a test compares them with the code, so they cannot lie.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import click
import typer
from pydantic_settings import BaseSettings

from fleet.settings import RobotSettings
from hub.app import create_app
from hub.settings import Settings
from zunft.cli import app as cli

__all__ = ["PAGES", "render"]

DOCS = Path(__file__).resolve().parent.parent / "docs"
ORIGIN = "<!-- Made by `python -m tools.make_docs`; change the code, not this page. -->"


def settings_page() -> str:
    """Every environment variable that the hub and a robot read."""
    parts = [
        "# Settings",
        ORIGIN,
        "Each is an environment variable. The command line's options come before it.",
        "## Hub",
        _settings_table(Settings),
        "## Robot and simulated fleet",
        _settings_table(RobotSettings),
    ]
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """Every command with its options."""
    group = typer.main.get_command(cli)
    lines = ["# Commands", ORIGIN, "`zunft COMMAND --help` says the same, with examples."]
    lines += [_command_text(path, command) for path, command in _commands("zunft", group)]
    return "\n\n".join(lines) + "\n"


def endpoints_page() -> str:
    """Every HTTP endpoint of the hub."""
    with tempfile.TemporaryDirectory() as folder:
        schema = create_app(Settings(data_dir=Path(folder), console=False)).openapi()
    rows = ["| endpoint | what it does | answers |", "|---|---|---|"]
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(operation["responses"])
            rows.append(f"| `{method.upper()} {path}` | {operation['summary']} | {answers} |")
    intro = "The hub serves its OpenAPI with examples at `/docs`. Every error has the shape of `ErrorBody`."
    return "\n\n".join(["# Endpoints", ORIGIN, intro, "\n".join(rows)]) + "\n"


PAGES = {"settings.md": settings_page, "commands.md": commands_page, "endpoints.md": endpoints_page}


def render(name: str) -> str:
    """The page as it should be; independent of the reader's own environment and terminal."""
    ours = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith("ZUNFT_")}
    try:
        return PAGES[name]()
    finally:
        os.environ.update(ours)


def _settings_table(settings: type[BaseSettings]) -> str:
    prefix = settings.model_config.get("env_prefix", "")
    rows = ["| variable | default | what it does |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        default = field.get_default(call_default_factory=True, validated_data={})
        shown = "" if "Secret" in type(default).__name__ else str(default)
        rows.append(
            f"| `{prefix.upper()}{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |"
        )
    return "\n".join(rows)


def _commands(path: str, command: click.Command) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        found = []
        for name, child in command.commands.items():
            found += _commands(f"{path} {name}", child)
        return found
    return [(path, command)]


def _command_text(path: str, command: click.Command) -> str:
    lines = [f"## `{path}`", (command.help or "").strip()]
    rows = [_option_row(parameter) for parameter in command.params if parameter.name != "help"]
    if rows:
        lines.append("\n".join(["| option | default | meaning |", "|---|---|---|", *rows]))
    return "\n\n".join(lines)


def _option_row(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if isinstance(parameter, click.Argument):
        names = f"`{parameter.human_readable_name}`"
    default = "" if parameter.default in {None, ""} or parameter.required else f"`{parameter.default}`"
    meaning = (getattr(parameter, "help", None) or "").replace("|", "\\|")
    return f"| {names} | {default} | {meaning} |"


def main() -> None:
    """Write all pages."""
    for name in PAGES:
        (DOCS / name).write_text(render(name))


if __name__ == "__main__":
    main()
