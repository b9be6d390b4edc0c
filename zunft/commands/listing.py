"""How commands show lists of a hub: a page of them, the one behind it, or all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from fleet.lists import everything
from skills.errors import RequestError
from skills.messages.lists import LARGEST_PAGE, ListQuery, Page

__all__ = ["All", "Cursor", "Limit", "asked", "behind", "listed"]

T = TypeVar("T")
Q = TypeVar("Q", bound=ListQuery)

Limit = Annotated[int, typer.Option(min=1, max=LARGEST_PAGE, help="How many at most.")]
Cursor = Annotated[str, typer.Option(help="Go on behind the page that named this.")]
All = Annotated[bool, typer.Option("--all", help="All of them, however many.")]


def asked(model: type[Q], **fields: Any) -> Q:
    """What a command's options ask of a list.

    Raises:
        RequestError: An option has a value that cannot be; it is named.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{first['msg']}.", where=str(first["loc"][0]), remedy="See --help.") from error


def listed(ask: Callable[[Q], Page[T]], query: Q, *, whole: bool) -> Page[T]:
    """A page of a list, or all that is behind the query's cursor as one."""
    if not whole:
        return ask(query)
    return Page(items=tuple(everything(ask, query.model_copy(update={"limit": LARGEST_PAGE}))))


def behind(page: Page[T]) -> str:
    """How to go on; empty at the end of the list."""
    return f"There are more: --cursor {page.next}, or --all." if page.next else ""
