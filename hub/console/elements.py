"""The few parts that pages are built from. Each is made once and then told what to show.

Text always goes through NiceGUI's text elements, which escape it. What is shown, and where, is
left to `hub.console.pages`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from hub.console.charts import Options
from hub.console.language import _, later
from hub.console.words import (
    ago,
    exactly,
    interval,
    no_score,
    percent,
    score_in_words,
    state_in_words,
    until,
)
from skills.messages.skills import ScoreView

__all__ = [
    "Badge",
    "Chart",
    "Command",
    "Entries",
    "Entry",
    "FigureRow",
    "Moment",
    "Success",
    "Track",
    "block",
    "cell",
    "described",
    "empty",
    "link",
    "number_cell",
    "pairs",
    "section",
    "table",
    "text",
    "time_cell",
]

Model = TypeVar("Model")
ElementType = TypeVar("ElementType", bound=Element)
Shown_contra = TypeVar("Shown_contra", contravariant=True)

LIVE = {"open", "closing", "merging", "gating", "running"}


def block(tag: str, classes: str = "") -> Element:
    """An element that holds others."""
    return Element(tag).classes(classes)


def text(tag: str, content: str = "", classes: str = "") -> TextElement:
    """An element that holds escaped text; change it by assigning to `.text`."""
    return TextElement(tag=tag, text=content).classes(classes)


def link(content: str, target: str, classes: str = "") -> TextElement:
    """A link inside this hub."""
    return described(text("a", content, classes), href=target)


def described(element: ElementType, **attributes: str) -> ElementType:
    """Set HTML attributes; an underscore in a name stands for a hyphen."""
    for name, value in attributes.items():
        if element.props.get(name.replace("_", "-")) != value:
            element.props[name.replace("_", "-")] = value
    return element


def section(title: str, classes: str = "section") -> Element:
    """A titled part of a page, to be used with `with`."""
    part = block("section", classes)
    with part:
        text("h2", title)
    return part


class Badge:
    """A state or channel in a word, with a colour of its own."""

    def __init__(self, state: str = "") -> None:
        self.element = text("span")
        self.show(state)

    def show(self, state: str) -> None:
        """Another state."""
        self.element.text = state_in_words(state)
        self.element.classes(replace=f"badge {state} live" if state in LIVE else f"badge {state}")


class Track:
    """How much of something has come about, such as how many of the ordered rounds have ended."""

    def __init__(self, label: str = later("Rounds that ended")) -> None:
        self._label = _(label)
        self._track = described(block("div", "track"), role="progressbar", aria_valuemin="0")
        with self._track:
            self._fill = block("div")

    def show(self, done: int, total: int, *, ended: bool) -> None:
        """`done` of `total`."""
        described(self._track, aria_valuenow=str(done), aria_valuemax=str(total), aria_label=self._label)
        self._track.classes(replace="track ended" if ended else "track")
        self._fill.style(replace=f"width: {100 * done / total:.1f}%")


class Success:
    """A success rate as number, and as a dot with its interval on a scale from 0 to 100 %."""

    def __init__(self) -> None:
        with block("div", "success") as self.element:
            self._number = text("span", no_score(), "number")
            with described(block("span", "span"), role="img") as self._span:
                self._band = block("span", "band")
                self._dot = block("span", "dot")
            self._interval = text("span", "", "number note")

    def show(self, score: ScoreView | None) -> None:
        """Another score, or none."""
        self._number.text = percent(score.score) if score else no_score()
        self._interval.text = interval(score) if score else ""
        self.element.classes(replace="success" if score else "success none")
        described(self._span, aria_label=score_in_words(score))
        self._span.set_visibility(score is not None)
        if score:
            width = max(score.high - score.low, 0)
            self._band.style(replace=f"left: {score.low:.2%}; width: {width:.2%}")
            self._dot.style(replace=f"left: {score.score:.2%}")


class Moment:
    """How long ago something was, or how long until something `ahead`; the moment itself is a tooltip."""

    def __init__(self, classes: str = "number", *, ahead: bool = False) -> None:
        self.element = text("time", "", classes)
        self._say = until if ahead else ago

    def show(self, moment: datetime | None, now: datetime, *, never: str = "") -> None:
        """Another moment; what is said where there is none."""
        self.element.text = self._say(moment, now) if moment else never
        described(self.element, title=exactly(moment) if moment else "")


class FigureRow:
    """A row of key figures: name, value, and an aside in small print; names as `later` marked them."""

    def __init__(self, names: Sequence[str]) -> None:
        self._values: dict[str, tuple[TextElement, TextElement]] = {}
        with block("dl", "figures") as self.element:
            for name in names:
                with block("div"):
                    text("dt", _(name))
                    with block("dd"):
                        self._values[name] = (text("span"), text("span", "", "aside"))

    def show(self, name: str, value: str, aside: str = "") -> None:
        """Set one figure."""
        shown, small = self._values[name]
        shown.text, small.text = value, aside


class Command:
    """A line for a terminal with a button that copies it."""

    def __init__(self, line: str) -> None:
        with block("div", "command"):
            described(text("code", line), tabindex="0")
            described(
                text("button", _("Copy"), "quiet"),
                type="button",
                data_does="copy",
                aria_label=_("Copy: {line}", line=line),
            )


class Chart:
    """An ECharts figure that is drawn once and then only given other numbers."""

    def __init__(self, nothing: str, classes: str = "chart") -> None:
        self._nothing = text("p", nothing, "blank")
        self._chart = described(ui.echart({}, renderer="svg").classes(classes), role="img")

    def show(self, options: Options | None, description: str) -> None:
        """Other numbers, and what they say in words; None where there is nothing to draw yet."""
        self._nothing.set_visibility(options is None)
        self._chart.set_visibility(options is not None)
        described(self._chart, aria_label=description)
        if options is not None and options != self._chart.options:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()


class Entry(Protocol[Shown_contra]):
    """One row or card, made once for its key and then told what to show."""

    element: Element

    def show(self, model: Shown_contra, now: datetime) -> None:
        """Another state of the same thing, at this time."""


class Entries(Generic[Model]):
    """Rows or cards that stay the same elements while their numbers change.

    Args:
        frame: Holds the entries.
        key: What makes two models the same entry.
        make: Builds an empty entry.
    """

    def __init__(
        self, frame: Element, key: Callable[[Model], Hashable], make: Callable[[], Entry[Model]]
    ) -> None:
        self._frame, self._key, self._make = frame, key, make
        self._entries: dict[Hashable, Entry[Model]] = {}

    def show(self, models: Iterable[Model], now: datetime) -> None:
        """These entries, in this order."""
        wanted = {self._key(model): model for model in models}
        for gone in self._entries.keys() - wanted.keys():
            self._entries.pop(gone).element.delete()
        for place, (key, model) in enumerate(wanted.items()):
            if key not in self._entries:
                with self._frame:
                    self._entries[key] = self._make()
                self._entries[key].element.move(target_index=place)
            self._entries[key].show(model, now)


def table(caption: str, columns: Sequence[str]) -> Element:
    """A table with these headings; returns its body.

    Args:
        caption: What the table holds, for screen readers.
        columns: Headings, as `later` marked them; `cell` repeats them where a phone stacks the cells.
    """
    # Whoever has only keys scrolls a wide table by focusing what it stands in.
    around = described(block("div", "scroll"), tabindex="0", role="group", aria_label=caption)
    with around, block("table", "stacks"):
        text("caption", caption, "visually-hidden")
        with block("thead"), block("tr"):
            for column in columns:
                described(text("th", _(column)), scope="col")
        return block("tbody")


def cell(label: str, classes: str = "") -> Element:
    """A cell that says its column's name where a phone stacks the cells."""
    return described(block("td", classes), data_label=label)


def number_cell(label: str, classes: str = "") -> TextElement:
    """A cell with one figure; `minor` leaves it out on a phone."""
    with cell(label, classes):
        return text("span", "", "number")


def time_cell(label: str, classes: str = "") -> Moment:
    """A cell with a moment."""
    with cell(label, classes):
        return Moment()


def pairs(rows: Mapping[str, str]) -> None:
    """A fixed list of names and values."""
    with block("dl", "pairs"):
        for name, value in rows.items():
            text("dt", name)
            text("dd", value)


def empty(title: str, advice: str, *commands: str) -> Element:
    """What stands where there is nothing yet: why, and what to do next."""
    with block("section", "section empty") as frame:
        text("h2", title)
        text("p", advice)
        for line in commands:
            Command(line)
    return frame
