"""`zunft robot`: what a robot does itself, and what its operators do with it."""

from __future__ import annotations

import typer

from skills.files import keep_private
from zunft.commands.robot import cell, drive, health, master, operator, own, record

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
for part in (own, drive, cell, health, master, record, operator):
    app.add_typer(part.app)


@app.callback()
def robot() -> None:
    """What a robot does: join a guild, work for it, use its skills."""
    keep_private()
