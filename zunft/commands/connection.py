"""How a person's commands reach the hub: address and token from options or the environment."""

from __future__ import annotations

from typing import Annotated

import typer

from fleet.client import OperatorClient

__all__ = ["Hub", "Json", "Token", "connect"]

Hub = Annotated[str, typer.Option("--hub", envvar="ZUNFT_HUB", help="The hub's address.")]
Token = Annotated[
    str, typer.Option("--token", envvar="ZUNFT_TOKEN", help="Your API token; better in the environment.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of a table.")]

DEFAULT_HUB = "http://127.0.0.1:8080"


def connect(hub: str, token: str) -> OperatorClient:
    """A client for the hub."""
    return OperatorClient.open(hub, token)
