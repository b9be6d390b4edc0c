"""How commands show what they found: a document for scripts, tables for people, errors for both.

A table fits the terminal, 80 columns where there is none, and cuts nothing: what identifies a row keeps its
width as long as there is room, and what does not fit goes on in the next line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import typer
from pydantic_core import to_json
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from skills.errors import ZunftError
from skills.messages.base import ErrorBody, ErrorDetail

if TYPE_CHECKING:
    from envs.examine import Finding
    from skills.messages.tasks import FindingView

__all__ = ["err", "facts", "finding_line", "out", "show_error", "show_findings", "table", "tell"]

out = Console()
err = Console(stderr=True)

GAP = 3  # columns between two columns of a table
LEAST = 6  # columns that a cell has which identifies nothing, where there is little room


def tell(found: object, *shown: RenderableType, as_json: bool) -> None:
    """Say what was found or done.

    Args:
        found: Messages, dataclasses, or what JSON knows: the document for scripts.
        shown: What people read instead, markup in strings; strings are not broken into lines.
        as_json: Whether a script asks.
    """
    if as_json:
        out.print_json(to_json(found).decode())
        return
    for each in shown:
        out.print(each, highlight=False, soft_wrap=isinstance(each, str))


def table(
    columns: Sequence[str], rows: Iterable[Sequence[str | Text]], *, keys: int = 1, title: str | None = None
) -> Table:
    """A table whose first `keys` columns identify a row; strings are shown as they are, without markup."""
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    longest = [
        max((cell_len(text) for text in (name, *(row[place].plain for row in cells))), default=0)
        for place, name in enumerate(columns[:keys])
    ]
    room = out.width - 1 - GAP * len(columns) - LEAST * (len(columns) - keys)
    widths = [*_shared(longest, room), *[None] * (len(columns) - keys)]
    made = Table(title=title and escape(title), title_justify="left")
    for name, width in zip(columns, widths, strict=True):
        made.add_column(name, overflow="fold", width=width)
    for row in cells:
        made.add_row(*row)
    return made


def facts(rows: dict[str, str], *, title: str | None = None) -> Table:
    """What is known of one thing, a line a fact."""
    made = Table(title=title and escape(title), box=None, show_header=False, title_justify="left")
    made.add_column()
    made.add_column(overflow="fold")
    for name, value in rows.items():
        made.add_row(name, Text(value))
    return made


def show_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """What a checker found, one line a finding.

    Raises:
        typer.Exit: Something did not pass.
    """
    tell(findings, *map(finding_line, findings), as_json=as_json)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(1)


def finding_line(finding: Finding | FindingView) -> str:
    """With a mark before it: it passed, it passed but something is advised, or it failed."""
    passed = "[yellow]![/]" if finding.remedy else "[green]✓[/]"
    mark = passed if finding.passed else "[red]✗[/]"
    advice = f" {finding.remedy}" if finding.remedy else ""
    return f"{mark} {escape(f'{finding.check}: {finding.text}{advice}')}"


def show_error(error: ZunftError, *, as_json: bool) -> None:
    """Say on standard error what was refused, in one line or in the shape that the hub's errors have."""
    if as_json:
        detail = ErrorDetail(code=error.code, message=error.message, where=error.where, remedy=error.remedy)
        err.print_json(ErrorBody(error=detail).model_dump_json(exclude={"error": {"request_id"}}))
    else:
        err.print(f"[bold red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)


def _shared(wanted: Sequence[int], room: int) -> list[int]:
    """Widths as wanted, the widest made smaller until all fit into the room."""
    widths = [max(1, min(width, room)) for width in wanted]
    while sum(widths) > max(room, len(widths)):
        widths[widths.index(max(widths))] -= 1
    return widths
