"""What all pages share: head, navigation, the live loop, and the page that says what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from fastapi import Request
from nicegui import ui

from hub.auth import Viewer
from hub.console.elements import block, described, link, text
from hub.console.reading import SCOPE_KEY, Reading
from hub.console.theme import MARK
from skills.errors import ZunftError

__all__ = ["frame", "hub_address", "live", "reading_of", "viewer_of"]

PERIOD = 1.5  # seconds between two looks

Page = TypeVar("Page")


def reading_of(request: Request) -> Reading:
    """The services of the hub that this request came to."""
    reading: Reading = request.scope[SCOPE_KEY]
    return reading


def viewer_of(_: Request) -> Viewer:
    """Who looks: nobody that the hub knows, as long as the pages have no login."""
    return None


def hub_address(request: Request) -> str:
    """The hub's own address as the visitor typed it, without a final slash."""
    return str(request.base_url).rstrip("/")


@contextmanager
def frame(title: str) -> Iterator[None]:
    """Masthead, main part and foot; the caller fills the main part."""
    ui.page_title(f"{title} \u00b7 Zunft")
    link("Skip to content", "#content", "skip")
    with block("header", "masthead"), described(block("nav"), aria_label="Main"):
        with described(block("a", "wordmark"), href="/"):
            ui.html(MARK, sanitize=False)
            text("span", "Zunft")
        text("span", "The guild hall", "place")
        block("span", "spring")
        described(text("button", "Light or dark", "quiet"), type="button", data_does="theme")
    with described(block("div", "content"), id="content"):
        yield
    with block("footer", "foot"):
        text("span", "Figures refresh by themselves.")
        link("API description", "/openapi.json")


async def live(read: Callable[[], Page], build: Callable[[Page], Callable[[Page, datetime], None]]) -> None:
    """Read, build the page, show, and show again while somebody looks.

    Where the hub refuses, the page says why, with the status that the API would have.

    Args:
        read: Asks the hub; runs in a thread because it may wait for the database.
        build: Makes the elements and returns what puts an answer and the time into them.
    """
    try:
        first = await asyncio.to_thread(read)
    except ZunftError as error:
        _refuse(error)
        return
    show = build(first)
    show(first, datetime.now(UTC))
    notice = described(text("p", "", "notice"), role="status")

    async def refresh() -> None:
        try:
            show(await asyncio.to_thread(read), datetime.now(UTC))
            notice.text = ""
        except ZunftError as error:
            notice.text = f"These figures are no longer fresh: {error}"

    ui.timer(PERIOD, refresh, immediate=False)


def _refuse(error: ZunftError) -> None:
    ui.context.client.status_code = error.status
    with frame("Not found" if error.status == 404 else "Not available"):
        text("h1", "Nothing here under this name" if error.status == 404 else "Not available")
        said = error.message[:1].upper() + error.message[1:]
        text("p", f"{said} {error.remedy}", "lead")
        link("All skills and campaigns", "/")
