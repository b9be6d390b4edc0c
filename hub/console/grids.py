"""Tables that are said column by column, and the parts of a long one: filters, and the way to the next page.

Filters and pages are addresses: they can be kept, sent on and gone back to, and a page holds no more than
it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, Literal, TypeVar
from urllib.parse import urlencode

from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from hub.console.elements import Badge, Entries, Moment, block, cell, described, link, table, text
from hub.console.language import _, later
from hub.console.queries.asking import Asked

__all__ = ["Choice", "Column", "Pager", "Search", "chips", "crumbs", "filters", "grid"]

Model = TypeVar("Model")
Look = Literal["plain", "name", "number", "badge", "note", "mono", "warn"]


@dataclass(frozen=True)
class Column(Generic[Model]):
    """One column of a grid.

    Attributes:
        label: Its heading, as `later` marked it.
        say: What a cell says.
        look: How it says it; a `badge` is a state.
        at: The moment that a cell tells of in place of `say`; None: never.
        ahead: It is to come.
        never: What is said then, as `later` marked it.
        target: Where a cell leads.
        aside: What stands below in small print.
        minor: Left out on a phone.
    """

    label: str
    say: Callable[[Model, datetime], str] = lambda _model, _now: ""
    look: Look = "plain"
    at: Callable[[Model], datetime | None] | None = None
    ahead: bool = False
    never: str = ""
    target: Callable[[Model], str] | None = None
    aside: Callable[[Model, datetime], str] | None = None
    minor: bool = False


def grid(caption: str, columns: Sequence[Column[Model]], key: Callable[[Model], Hashable]) -> Entries[Model]:
    """A table of these columns; the first is each row's name."""
    body = table(caption, [column.label for column in columns])
    return Entries[Model](body, key, partial(_Row, columns))


class _Row(Generic[Model]):
    def __init__(self, columns: Sequence[Column[Model]]) -> None:
        with block("tr") as self.element:
            self._cells = [_Cell(column, is_first=not place) for place, column in enumerate(columns)]

    def show(self, model: Model, now: datetime) -> None:
        """Another state of the same thing."""
        for each in self._cells:
            each.show(model, now)


class _Cell(Generic[Model]):
    def __init__(self, column: Column[Model], *, is_first: bool) -> None:
        self._column = column
        self._badge: Badge | None = None
        self._moment: Moment | None = None
        self._text: TextElement | None = None
        self._aside: TextElement | None = None
        classes = "head" if is_first else "minor" if column.minor else ""
        with cell(_(column.label), classes):
            if column.at is not None:
                self._moment = Moment(ahead=column.ahead)
            elif column.look == "badge":
                self._badge = Badge()
            elif column.target is not None:
                self._text = link("", "/", _classes(column.look))
            else:
                self._text = text("span", "", _classes(column.look))
            if column.aside is not None:
                self._aside = text("span", "", "note below")

    def show(self, model: Model, now: datetime) -> None:
        column = self._column
        if self._moment is not None and column.at is not None:
            self._moment.show(column.at(model), now, never=_(column.never))
        if self._badge is not None:
            said = column.say(model, now)
            self._badge.show(said)
            self._badge.element.set_visibility(bool(said))
        if self._text is not None:
            self._text.text = column.say(model, now)
            if column.target is not None:
                described(self._text, href=column.target(model))
        if self._aside is not None and column.aside is not None:
            self._aside.text = column.aside(model, now)


def _classes(look: Look) -> str:
    return "" if look == "plain" else look


@dataclass(frozen=True)
class Search:
    """A filter that is typed, with a label that `later` marked; `kind` and `step` are HTML's."""

    label: str
    name: str
    kind: str = "search"
    step: str = ""


@dataclass(frozen=True)
class Choice:
    """A filter that is chosen: what each value is called, and none of them; words as `later` marked them."""

    label: str
    name: str
    values: Mapping[str, str]
    none: str = later("any")


def filters(path: str, asked: Asked, *fields: Search | Choice) -> None:
    """A form of filters; what was asked stands in it, and everything else of the address stays."""
    with described(block("form", "form filters"), method="get", action=path, role="search"):
        for field in fields:
            with block("label"):
                text("span", _(field.label))
                _input(field, asked.get(field.name, ""))
        described(text("button", _("Show"), "secondary"), type="submit")
        if any(asked.get(field.name) for field in fields):
            link(_("Show all"), path, "quiet")


def _input(field: Search | Choice, value: str) -> None:
    if isinstance(field, Search):
        typed = described(block("input"), name=field.name, type=field.kind, value=value)
        if field.step:
            described(typed, step=field.step, min="0", max="1")
        return
    with described(block("select"), name=field.name):
        for each, said in {"": field.none, **field.values}.items():
            option = described(text("option", _(said)), value=each)
            if each == value:
                described(option, selected="selected")


def chips(path: str, asked: Asked, name: str, values: Mapping[str, str]) -> dict[str, TextElement]:
    """One filter as a row of links, of which one is chosen; returns them by value."""
    found = {}
    with described(block("nav", "chips"), aria_label=_("Filter")):
        for value, said in values.items():
            rest = {key: each for key, each in asked.items() if key not in {name, "cursor"}}
            address = _address(path, {**rest, name: value})
            found[value] = link(_(said), address, "chip")
            if asked.get(name, "") == value:
                described(found[value], aria_current="true")
    return found


class Pager:
    """The way to the next page of a list, and back to its beginning."""

    def __init__(self, path: str, asked: Asked) -> None:
        self._path, self._asked = path, {key: each for key, each in asked.items() if key != "cursor"}
        with described(block("nav", "pager"), aria_label=_("Pages")) as self._element:
            first = link(_("First page"), _address(path, self._asked), "quiet")
            first.set_visibility("cursor" in asked)
            self._next = link(_("Next page"), path, "quiet")
        self._is_first = "cursor" not in asked

    def show(self, cursor: str | None) -> None:
        """Where the next page begins; None at the end."""
        self._element.set_visibility(cursor is not None or not self._is_first)
        self._next.set_visibility(cursor is not None)
        if cursor is not None:
            described(self._next, href=_address(self._path, {**self._asked, "cursor": cursor}))


def crumbs(*places: tuple[str, str]) -> Element:
    """The way here: names and addresses."""
    with described(block("nav", "crumbs"), aria_label=_("Breadcrumb")) as found:
        for number, (name, address) in enumerate(places):
            if number:
                text("span", " / ")
            link(name, address)
    return found


def _address(path: str, asked: Asked) -> str:
    found = urlencode({key: value for key, value in asked.items() if value})
    return f"{path}?{found}" if found else path
