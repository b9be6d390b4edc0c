"""The console: the hub's web pages, on the same app as its API.

NiceGUI is loaded when the first page is asked for, so a hub that only robots talk to neither waits
for it nor holds its memory. Who looks, and what pages show, is left to `hub.console.frame` and
`hub.console.pages`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from hub.console.reading import SCOPE_KEY
from hub.services import Services
from skills.messages.base import API

__all__ = ["mount_console"]

SOCKET = "/_nicegui_ws/"
ASSETS = ("/_nicegui/", "/_pictures/", SOCKET)
PAGES = re.compile(
    r"/|/favicon\.ico|/login|/(skills|tasks|robots|people|audit)|/(skills|campaigns|tasks|robots)/[^/]+"
    r"|/tasks/[^/]+/leaderboard|/skills/[^/]+/(compare|explain)"
)


def mount_console(app: FastAPI, services: Services) -> None:
    """Serve the pages of these services under `/` and what `PAGES` names.

    Call it after all API routes; every other path keeps the API's answers and its error shape.
    """
    console = Console(services)
    app.router.routes.append(console)
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with inner(app) as state, console.closing():
            yield state

    app.router.lifespan_context = lifespan


class Console(BaseRoute):
    """One hub's pages; NiceGUI's state is global, so one hub a process has its pages open at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()
        self._pages: FastAPI | None = None
        self._sockets = 0

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Pages and their assets, read only; all else is the API's."""
        path, kind = scope.get("path", ""), scope["type"]
        if path.startswith(ASSETS) and kind in {"http", "websocket"}:
            return Match.FULL, {}
        is_page = (
            kind == "http" and scope["method"] == "GET" and (PAGES.fullmatch(path) or _for_people(scope))
        )
        return (Match.FULL if is_page else Match.NONE), {}

    def url_path_for(self, name: str, /, **_path_params: Any) -> Any:
        """No route of the API has its address here."""
        raise NoMatchFound(name, _path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to NiceGUI together with the services that it is about.

        Its sockets are for pages of this hub, and not more than a hub can serve. Programs could claim to be
        such a page; what they say there is bounded by `hub.server` and `hub.log`.
        """
        if not scope["path"].startswith(SOCKET):
            await self._serve(scope, receive, send)
        elif scope["type"] != "websocket":  # what is asked for again and again has no socket to count
            await PlainTextResponse("Only by WebSocket.", status_code=403)(scope, receive, send)
        elif self._sockets >= self._services.settings.console_sockets or not self._is_ours(scope):
            await send({"type": "websocket.close", "code": 1008})
        else:
            self._sockets += 1
            try:
                await self._serve(scope, receive, send)
            finally:
                self._sockets -= 1

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the browser says that a page of this hub opened the socket."""
        headers = Headers(scope=scope)
        origin, known = headers.get("origin", ""), self._services.settings.public_url.rstrip("/")
        return origin == known if known else bool(origin) and urlsplit(origin).netloc == headers.get("host")

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        pages = await self._opened()
        if pages is None:
            busy = PlainTextResponse("Another hub in this process has its console open.", status_code=503)
            await busy(scope, receive, send)
            return
        await pages({**scope, SCOPE_KEY: self._services}, receive, send)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close the pages with the app, if anybody opened them."""
        async with self._open:
            yield
        self._pages = None

    async def _opened(self) -> FastAPI | None:
        async with self._opening:
            if self._pages is None:
                from hub.console import pages  # noqa: PLC0415 - half a second that robots need not wait for

                built = await asyncio.to_thread(pages.build)
                if not pages.is_running():
                    await self._open.enter_async_context(built.router.lifespan_context(built))
                    self._pages = built
            return self._pages


def _for_people(scope: Scope) -> bool:
    """Whether a browser asks for a page, of which there is none: programs get the API's error."""
    accepts = Headers(scope=scope).get("accept", "")
    return "text/html" in accepts and not scope["path"].startswith(API)
