"""Pages that show what is so now: read, built, and shown anew once something happened.

Nothing is looked up while nothing happens, except what no event tells: every `QUIET` seconds a page asks
whether its session still holds, every `AGES` seconds it moves its times on, and every `KEPT` seconds
somebody's look tells who is there. All who look at the same page as the same person share one look, and what
has not changed is not shown again. What a page reads is its own business.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

import structlog
from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from hub.access.principal import Viewer
from hub.api.login import login_page
from hub.console import is_for_people
from hub.console.elements import block, described, text
from hub.console.frame import address_of, fail, frame, reading_of, refuse, viewer_of
from hub.console.language import _
from hub.console.reading import SNAPSHOTS_KEY
from hub.services import Services
from hub.storage.single_flight import Shared
from skills.errors import UnauthorizedError, ZunftError

__all__ = ["Look", "live", "snapshots"]

PATIENCE = 1.0
"""Seconds that a browser waits for what a page shows; after that it gets a page that says that it is read.

Programs, which would never see more than that, wait for the whole."""
QUIET = 5.0
AGES = 15.0
KEPT = 30.0
REST = 0.2  # seconds between two looks at least
SHARE = 4  # so many times as long as the last look took, so that a large hub's pages leave it time
MOST_REST = 1.0  # and no longer: many pages wait for each other
THREADS = 4

Page = TypeVar("Page")
log = structlog.get_logger("zunft.console")


@dataclass(frozen=True)
class Look:
    """What a page asks: its address and who looks say what comes of it."""

    address: str
    viewer: Viewer
    read: Callable[[Viewer], object] = field(compare=False)

    def __call__(self) -> object:
        """What the page shows, or the error that says why there is nothing to show."""
        try:
            return self.read(self.viewer)
        except ZunftError as error:
            return error


def snapshots(services: Services) -> Shared[Look, object]:
    """Where all pages of a hub look; close it with them."""
    return Shared(services.storage.bell, Look.__call__, "zunft-pages", threads=THREADS, fresh=KEPT)


async def live(
    request: Request,
    read: Callable[[Viewer], Page],
    build: Callable[[Viewer, Page], Callable[[Page, datetime], None]],
) -> RedirectResponse | None:
    """Read, build the page, show, and show again while somebody looks; ends with the session that opened it.

    Where the hub refuses, the page says why, with the status that the API would have; who must sign in first
    is sent to do so. What takes long to read is waited for on the page.

    Args:
        request: The page's.
        read: Asks the hub for what the viewer may see; runs in a thread because it may wait for the database.
        build: Makes the elements for a viewer and returns what puts an answer and the time into them.
    """
    seen = reading_of(request).storage.bell.rings
    viewer = await asyncio.to_thread(viewer_of, request)
    look = Look(str(request.url), viewer, read)
    first = asyncio.create_task(asyncio.to_thread(look))
    await asyncio.wait({first}, timeout=PATIENCE if is_for_people(request.headers) else None)
    if not first.done():
        await _wait_on_the_page(first, viewer)
        if error := first.exception():
            log.error("console.page_failed", page=look.address, exc_info=error)
            fail()
            return None
    found = first.result()
    if isinstance(found, UnauthorizedError):
        login = login_page(goal=address_of(request))
        if not ui.context.client.has_socket_connection:
            return RedirectResponse(login, status_code=303)
        ui.navigate.to(login)
        return None
    if isinstance(found, ZunftError):
        refuse(found, viewer)
        return None
    show = build(viewer, cast("Page", found))
    show(cast("Page", found), datetime.now(UTC))
    notice = described(text("p", "", "notice"), role="status")
    _follow(request, look, seen, cast("Page", found), show, notice)
    return None


async def _wait_on_the_page(first: asyncio.Task[object], viewer: Viewer) -> None:
    """Let the browser have a page that says what it waits for, until there is something to show."""
    with block("div", "reading") as waiting, frame(_("One moment"), viewer):
        text("h1", _("One moment"))
        described(text("p", _("This hub is reading what belongs here."), "lead"), role="status")
        with described(block("div", "skeleton"), aria_hidden="true"):
            for _line in range(4):
                block("div")
    await ui.context.client.connected()
    await asyncio.wait({first})
    waiting.delete()


def _follow(
    request: Request,
    look: Look,
    seen: int,
    shown: Page,
    show: Callable[[Page, datetime], None],
    notice: TextElement,
) -> None:
    """Show the page anew after every ring of the bell since `seen`, and from time to time without one."""
    bell = reading_of(request).storage.bell
    shared: Shared[Look, object] = request.scope[SNAPSHOTS_KEY]
    at = time.monotonic()

    async def turn() -> None:
        nonlocal seen, shown, at
        await bell.wait_async(seen, QUIET)
        seen, begun = bell.rings, time.monotonic()
        if await asyncio.to_thread(viewer_of, request, in_use=False) != look.viewer:
            ui.navigate.reload()  # signed out, or somebody else by now: another page
            return
        found = await shared.ask(look)
        if isinstance(found, ZunftError):
            notice.text = _("These figures are no longer fresh: {error}", error=found)
        else:
            notice.text = ""
            if found != shown or begun - at >= AGES:
                shown, at = cast("Page", found), begun
                show(shown, datetime.now(UTC))
        await asyncio.sleep(min(MOST_REST, SHARE * (time.monotonic() - begun)))

    ui.timer(REST, turn, immediate=False)
