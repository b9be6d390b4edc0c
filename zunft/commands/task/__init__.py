"""`zunft task`: bundles on this machine, tasks of a hub, and what skills reach at them."""

from __future__ import annotations

import typer

from zunft.commands.task import bundle, controllers, published, scores, trace

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True)
for part in (bundle, trace, controllers, published, scores):
    app.add_typer(part.app)
