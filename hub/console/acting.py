"""The parts of a page that change something: buttons that ask first, and small forms.

The browser sends them to the hub's API with the session in its cookie (`console.js`), so that who may do
what is decided there and nowhere else; what the hub refuses stands beside the button in its own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nicegui.element import Element

from hub.console.elements import block, described, text
from skills.messages.base import BLOB

__all__ = ["Act", "check", "choice", "field", "form", "upload"]


class Act:
    """A button for one call of the API.

    Args:
        label: What it says, and what the dialog's own button says.
        method: Of HTTP.
        path: Of the API.
        question: What is asked before; empty: nothing is.
        body: Sent as JSON.
        goal: Where the browser goes on to; names in braces are fields of the answer. Empty: it stays.
        confirm: What has to be typed before it is done; empty: nothing.
        reason: Whether a reason has to be typed, which is sent as `reason`.
        is_grave: Whether it is red.
    """

    def __init__(
        self,
        label: str,
        method: str,
        path: str,
        *,
        question: str = "",
        body: Mapping[str, str | int] | None = None,
        goal: str = "",
        confirm: str = "",
        reason: bool = False,
        is_grave: bool = False,
    ) -> None:
        self.element = described(
            text("button", label, "quiet"),
            type="button",
            data_does="act",
            data_method=method,
            data_path=path,
            data_body=json.dumps(body) if body is not None else "",
            data_goal=goal,
            data_confirm=confirm,
        )
        self.ask(question, reason=reason, is_grave=is_grave)

    def ask(self, question: str, *, reason: bool = False, is_grave: bool = False) -> None:
        """Another question, a line for each paragraph."""
        described(self.element, data_question=question, data_reason="yes" if reason else "")
        self.element.classes(add="grave" if is_grave else "", remove="" if is_grave else "grave")


@contextmanager
def form(
    path: str,
    submit: str,
    *,
    goal: str,
    fixed: Mapping[str, Any] | None = None,
    look: str = "primary",
    tells: str = "",
) -> Iterator[None]:
    """Fields that are posted to the API as one JSON object; fill it with `field`, `choice` and `check`.

    A dot in a field's name leads into what is fixed: `rings.0.share`.

    Args:
        path: Of the API.
        submit: What the button says.
        goal: As for `Act`.
        fixed: What is sent beside the fields.
        tells: A line for a terminal to be shown for each thing that was made, where the page has `data-told`;
            names in braces are fields of the answer and of the form.
        look: `primary`, or `secondary` where another button of the page matters more.
    """
    frame = described(
        block("form", "form"),
        data_does="act",
        data_method="POST",
        data_path=path,
        data_goal=goal,
        data_tells=tells,
    )
    with described(frame, data_body=json.dumps(fixed or {})):
        yield
        described(text("button", submit, look), type="submit")
        described(text("p", "", "refusal"), role="alert")


def field(label: str, name: str, **attributes: str) -> Element:
    """A labelled input; attributes are HTML's, and `data_local` keeps it from being sent."""
    with block("label"):
        text("span", label)
        return described(block("input"), name=name, required="", **attributes)


def upload(path: str, label: str, submit: str, *, goal: str) -> None:
    """A form that sends one file of the visitor's to the API as it is.

    Args:
        path: Of the API.
        label: What the file is.
        submit: What the button says.
        goal: As for `Act`.
    """
    with form(path, submit, goal=goal, look="secondary"), block("label"):
        text("span", label)
        described(block("input"), type="file", name="file", required="", data_kind=BLOB)


def check(label: str, name: str) -> Element:
    """A labelled box to be checked; sent as true or false."""
    with block("label", "check"):
        found = described(block("input"), name=name, type="checkbox")
        text("span", label)
        return found


def choice(label: str, name: str, values: Mapping[str, str], chosen: str) -> Element:
    """A labelled choice among values, with what each is called."""
    with block("label"):
        text("span", label)
        with described(block("select"), name=name) as found:
            for value, said in values.items():
                option = described(text("option", said), value=value)
                if value == chosen:
                    described(option, selected="selected")
        return found
