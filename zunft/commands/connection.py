"""What commands ask for: a hub and a token, a version by its name, a request that is well formed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from fleet.client import OperatorClient
from skills.errors import RequestError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = [
    "DEFAULT_HUB",
    "Hub",
    "Json",
    "Token",
    "connect",
    "in_words",
    "is_file",
    "request",
    "split_reference",
]

Hub = Annotated[str, typer.Option("--hub", envvar="ZUNFT_HUB", help="The hub's address.")]
Token = Annotated[
    str, typer.Option("--token", envvar="ZUNFT_TOKEN", help="Your API token; better in the environment.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts; errors, too.")]

DEFAULT_HUB = "http://127.0.0.1:8080"
SUFFIX = ".skill"

T = TypeVar("T", bound=BaseModel)


def connect(hub: str, token: str) -> OperatorClient:
    """A client for the hub."""
    return OperatorClient.open(hub, token)


def request(model: type[T], fields: dict[str, Any], remedy: str = "See --help.") -> T:
    """What a command's options ask for.

    Raises:
        RequestError: An option has a value that cannot be; it is named.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(part for part in first["loc"] if isinstance(part, str))
        raise RequestError(in_words(first), where=where, remedy=remedy) from error


def in_words(error: ErrorDetails) -> str:
    """What a value should have been, in a sentence."""
    return f"{error['msg'].removeprefix('Value error, ')}."


def split_reference(text: str) -> tuple[str, str]:
    """`weld-seam@v7` is `weld-seam` and `7`; who names no version means `stable`.

    Raises:
        RequestError: There is no name in it.
    """
    name, _, version = text.partition("@")
    if not name:
        raise RequestError(f"{text!r} names nothing.", remedy="Write NAME, NAME@stable or NAME@7.")
    number = version.removeprefix("v")
    return name, number if number.isdigit() else version or "stable"


def is_file(reference: str) -> bool:
    """Whether a skill is meant that lies here as a file, and not one of a hub."""
    return reference.endswith(SUFFIX) or Path(reference).is_file()
