"""What all pages share: who looks, head and foot, and the page that says what went wrong.

How a page stays up to date is `hub.console.live`'s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from hub.access.principal import Viewer
from hub.api.cookies import SESSION, Browser
from hub.api.login import login_page
from hub.console.acting import Act
from hub.console.elements import block, described, link, text
from hub.console.language import LANGUAGES, _, spoken
from hub.console.places import places_of
from hub.console.reading import SCOPE_KEY
from hub.console.theme import MARK, words_of_script
from hub.services import Services
from skills.errors import UnauthorizedError, ZunftError
from skills.messages.base import API

__all__ = ["address_of", "fail", "frame", "hub_address", "reading_of", "refuse", "viewer_of"]


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
    link(_("Skip to content"), "#content", "skip")
    with _masthead(), described(block("nav"), aria_label=_("Main")):
        with described(block("a", "wordmark"), href="/"):
            ui.html(MARK, sanitize=False)
            text("span", "Zunft")
        with block("div", "places"):
            for name, address in places_of(viewer):
                link(_(name), address, "quiet")
        _who(viewer)
        _languages()
        described(text("button", _("Light or dark"), "quiet"), type="button", data_does="theme")
    with described(block("div", "content"), id="content"):
        yield
    with block("footer", "foot"):
        text("span", _("Figures refresh by themselves."))
        link(_("API description"), "/openapi.json")


def _masthead() -> Element:
    """It carries what console.js says, where that is not English."""
    found = block("header", "masthead")
    return found if spoken() == "en" else described(found, data_words=json.dumps(words_of_script()))


def _languages() -> None:
    """The others that the console speaks, each by its own name; `console.js` keeps the choice."""
    for language, name in LANGUAGES.items():
        if language != spoken():
            described(
                text("button", name, "quiet"),
                type="button",
                data_does="language",
                data_to=language,
                lang=language,
            )


def _who(viewer: Viewer) -> None:
    """Who is signed in and the way out, or the way in."""
    here = ui.context.client.request.url.path
    if viewer is None:
        if here != "/login":
            link(_("Sign in"), login_page(goal=here), "quiet")
        return
    described(text("span", viewer.name, "person"), title=f"{_(viewer.role)}, {viewer.organisation}")
    Act(_("Sign out"), "DELETE", f"{API}/sessions/current", goal="/")


def refuse(error: ZunftError, viewer: Viewer) -> None:
    """A page that says why there is none, with the status that the API would have."""
    ui.context.client.status_code = error.status
    with frame(_("Not found") if error.status == 404 else _("Not available"), viewer):
        text("h1", _("Nothing here under this name") if error.status == 404 else _("Not available"))
        said = error.message[:1].upper() + error.message[1:]
        text("p", f"{said} {error.remedy}", "lead")
        link(_("All skills and campaigns"), "/")


def fail() -> None:
    """A page that says that the hub failed; its log has the reason."""
    with frame(_("Not available"), None):
        text("h1", _("This page failed"))
        text("p", _("The fault is the hub's, not yours; its log says more. Try again in a moment."), "lead")
        link(_("Back to the start"), "/", "secondary step")
