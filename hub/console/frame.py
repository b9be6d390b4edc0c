"""What all pages share: who looks, head and foot, the live loop, and the page that says what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui

from hub.access.principal import Viewer
from hub.api.cookies import SESSION, Browser
from hub.api.login import login_page
from hub.console.acting import Act
from hub.console.elements import block, described, link, text
from hub.console.places import places_of
from hub.console.reading import SCOPE_KEY
from hub.console.theme import MARK
from hub.services import Services
from skills.errors import UnauthorizedError, ZunftError
from skills.messages.base import API

__all__ = ["frame", "hub_address", "live", "reading_of", "refuse", "viewer_of"]

PERIOD = 1.5  # seconds between two looks

Page = TypeVar("Page")


def reading_of(request: Request) -> Services:
    """The services of the hub that this request came to."""
    reading: Services = request.scope[SCOPE_KEY]
    return reading


def viewer_of(request: Request, *, in_use: bool = True) -> Viewer:
    """Who looks, by the session in the browser's cookie. No page learns it in any other way.

    Args:
        request: The page's; may wait for the database.
        in_use: Whether somebody just asked for the page, or it only refreshes itself.
    """
    hub = reading_of(request)
    secret = Browser(request, hub.settings).read(SESSION)
    try:
        return hub.access.sessions.principal(secret, in_use=in_use) if secret else None
    except UnauthorizedError:
        return None


def hub_address(request: Request) -> str:
    """The hub's own address as the visitor typed it, without a final slash."""
    return Browser(request, reading_of(request).settings).address


def address_of(request: Request) -> str:
    """The page that was asked for, with its filters."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


@contextmanager
def frame(title: str, viewer: Viewer) -> Iterator[None]:
    """Masthead, main part and foot; the caller fills the main part."""
    ui.page_title(f"{title} \u00b7 Zunft")
    link("Skip to content", "#content", "skip")
    with block("header", "masthead"), described(block("nav"), aria_label="Main"):
        with described(block("a", "wordmark"), href="/"):
            ui.html(MARK, sanitize=False)
            text("span", "Zunft")
        with block("div", "places"):
            for name, address in places_of(viewer):
                link(name, address, "quiet")
        _who(viewer)
        described(text("button", "Light or dark", "quiet"), type="button", data_does="theme")
    with described(block("div", "content"), id="content"):
        yield
    with block("footer", "foot"):
        text("span", "Figures refresh by themselves.")
        link("API description", "/openapi.json")


def _who(viewer: Viewer) -> None:
    """Who is signed in and the way out, or the way in."""
    here = ui.context.client.request.url.path
    if viewer is None:
        if here != "/login":
            link("Sign in", login_page(goal=here), "quiet")
        return
    described(text("span", viewer.name, "person"), title=f"{viewer.role}, {viewer.organisation}")
    Act("Sign out", "DELETE", f"{API}/sessions/current", goal="/")


async def live(
    request: Request,
    read: Callable[[Viewer], Page],
    build: Callable[[Viewer, Page], Callable[[Page, datetime], None]],
) -> RedirectResponse | None:
    """Read, build the page, show, and show again while somebody looks; ends with the session that opened it.

    Where the hub refuses, the page says why, with the status that the API would have; who must sign in first
    is sent to do so.

    Args:
        request: The page's.
        read: Asks the hub for what the viewer may see; runs in a thread because it may wait for the database.
        build: Makes the elements for a viewer and returns what puts an answer and the time into them.
    """

    def look(*, in_use: bool) -> tuple[Viewer, Page | ZunftError]:
        viewer = viewer_of(request, in_use=in_use)
        try:
            return viewer, read(viewer)
        except ZunftError as error:
            return viewer, error

    viewer, first = await asyncio.to_thread(look, in_use=True)
    if isinstance(first, UnauthorizedError):
        return RedirectResponse(login_page(goal=address_of(request)), status_code=303)
    if isinstance(first, ZunftError):
        refuse(first, viewer)
        return None
    show = build(viewer, first)
    show(first, datetime.now(UTC))
    notice = described(text("p", "", "notice"), role="status")

    async def refresh() -> None:
        still, found = await asyncio.to_thread(look, in_use=False)
        if still != viewer:
            ui.navigate.reload()  # signed out, or somebody else by now: another page
        elif isinstance(found, ZunftError):
            notice.text = f"These figures are no longer fresh: {found}"
        else:
            show(found, datetime.now(UTC))
            notice.text = ""

    ui.timer(PERIOD, refresh, immediate=False)
    return None


def refuse(error: ZunftError, viewer: Viewer) -> None:
    """A page that says why there is none, with the status that the API would have."""
    ui.context.client.status_code = error.status
    with frame("Not found" if error.status == 404 else "Not available", viewer):
        text("h1", "Nothing here under this name" if error.status == 404 else "Not available")
        said = error.message[:1].upper() + error.message[1:]
        text("p", f"{said} {error.remedy}", "lead")
        link("All skills and campaigns", "/")
