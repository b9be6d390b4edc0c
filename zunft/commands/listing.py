"""How commands show lists of a hub: a page, the one behind it, or all; options that many of them have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from rich.console import RenderableType

from fleet.lists import everything
from skills.messages.lists import LARGEST_PAGE, ListQuery, Page
from zunft.commands.output import tell

__all__ = ["All", "Cursor", "Embodiment", "Limit", "Organisation", "Text", "go_on", "listed", "tell_page"]

T = TypeVar("T")
Q = TypeVar("Q", bound=ListQuery)

Limit = Annotated[int, typer.Option(min=1, max=LARGEST_PAGE, help="How many at most.")]
Cursor = Annotated[str, typer.Option(help="Go on behind the page that named this; other options as there.")]
All = Annotated[bool, typer.Option("--all", help="All of them, however many.")]

Text = Annotated[str, typer.Option(help="Only those with this in their name.")]
Organisation = Annotated[str, typer.Option(help="Only those of this organisation.")]
Embodiment = Annotated[str, typer.Option(help="Only robots with this arm, such as ur5e.")]


def listed(ask: Callable[[Q], Page[T]], query: Q, *, whole: bool) -> Page[T]:
    """A page of a list, or all that is behind the query's cursor as one."""
    if not whole:
        return ask(query)
    return Page(items=tuple(everything(ask, query.model_copy(update={"limit": LARGEST_PAGE}))))


def tell_page(page: Page[T], *shown: RenderableType, as_json: bool) -> None:
    """Say what is on a page, and to people how to go on where there is more."""
    tell(page, *shown, *go_on(page.next), as_json=as_json)


def go_on(cursor: str | None) -> tuple[str, ...]:
    """How to see what is behind a page; nothing at the end of the list."""
    return (f"There are more: --cursor {cursor}, or --all.",) if cursor else ()
