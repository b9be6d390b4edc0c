"""The console: the hub's web pages, on the same app as its API.

Here is who gets in: which paths are pages, how many an address may have built and how many sockets it may
hold. Where pages are built is `hub.console.here`'s or `hub.console.apart`'s; who looks, and what pages show,
`hub.console.frame`'s and `hub.console.pages`'.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from hub.api.rate_limits import address_key
from hub.buckets import Buckets
from hub.services import Services
from hub.settings import Settings
from skills.messages.base import API

__all__ = ["Pages", "is_for_people", "mount_console"]

SOCKET = "/_nicegui_ws/"
ASSETS = ("/_nicegui/", "/_pictures/", SOCKET)
PAGES = re.compile(
    r"/|/favicon\.ico|/login|/(skills|tasks|robots|rollouts|people|audit)|/(skills|campaigns|tasks|robots|rollouts)/[^/]+"
    r"|/tasks/[^/]+/leaderboard|/skills/[^/]+/(compare|explain|rollout|robots|replay)"
)


class Pages(Protocol):
    """What builds pages, and answers their sockets."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, as an ASGI app."""

    def closing(self) -> AbstractAsyncContextManager[None]:
        """Around the life of the hub's app."""


def mount_console(app: FastAPI, services: Services, pages: Callable[[Services], Pages]) -> None:
    """Serve the pages of these services under `/` and what `PAGES` names.

    Call it after all API routes; every other path keeps the API's answers and its error shape.
    """
    built = pages(services)
    app.router.routes.append(Console(services.settings, built))
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with inner(app) as state, built.closing():
            yield state

    app.router.lifespan_context = lifespan


class Console(BaseRoute):
    """The door to the pages.

    Its sockets are for pages of this hub, and not more than a hub can serve. Programs could claim to be
    such a page; what they say there is bounded by `hub.server` and `hub.log`.
    """

    def __init__(self, settings: Settings, pages: Pages) -> None:
        self._settings = settings
        self._pages = pages
        self._sockets: Counter[str] = Counter()
        rate, burst = settings.page_rate_limit, settings.page_rate_burst
        self._builds = Buckets(rate, burst) if rate else None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Pages and their assets, read only; all else is the API's."""
        path, kind = scope.get("path", ""), scope["type"]
        if path.startswith(ASSETS) and kind in {"http", "websocket"}:
            return Match.FULL, {}
        is_page = (
            kind == "http" and scope["method"] == "GET" and (PAGES.fullmatch(path) or _is_no_page(scope))
        )
        return (Match.FULL if is_page else Match.NONE), {}

    def url_path_for(self, name: str, /, **_path_params: Any) -> Any:
        """No route of the API has its address here."""
        raise NoMatchFound(name, _path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it in, or say why not."""
        address = address_key((scope.get("client") or ("",))[0])
        if not scope["path"].startswith(SOCKET):
            await self._page(address, scope, receive, send)
        elif scope["type"] != "websocket":  # what is asked for again and again has no socket to count
            await PlainTextResponse("Only by WebSocket.", status_code=403)(scope, receive, send)
        elif not self._has_place(address) or not self._is_ours(scope):
            await send({"type": "websocket.close", "code": 1008})
        else:
            self._sockets[address] += 1
            try:
                await self._pages(scope, receive, send)
            finally:
                self._sockets[address] -= 1
                self._sockets += Counter()  # forgets who has none

    async def _page(self, address: str, scope: Scope, receive: Receive, send: Send) -> None:
        wait = 0.0
        if self._builds is not None and not scope["path"].startswith(ASSETS):
            wait = self._builds.take(address)
        if wait:
            refusal = PlainTextResponse(
                f"Too many pages for one address: ask again in {wait:.1f} s.",
                status_code=429,
                headers={"Retry-After": str(math.ceil(wait))},
            )
            await refusal(scope, receive, send)
            return
        await self._pages(scope, receive, send)

    def _has_place(self, address: str) -> bool:
        most = self._settings.console_sockets
        return self._sockets.total() < most and (
            self._sockets[address] < self._settings.console_sockets_per_address
        )

    def _is_ours(self, scope: Scope) -> bool:
        """Whether the browser says that a page of this hub opened the socket."""
        headers = Headers(scope=scope)
        origin, known = headers.get("origin", ""), self._settings.public_url.rstrip("/")
        return origin == known if known else bool(origin) and urlsplit(origin).netloc == headers.get("host")


def is_for_people(headers: Headers) -> bool:
    """Whether a browser asks, and no program."""
    return "text/html" in headers.get("accept", "")


def _is_no_page(scope: Scope) -> bool:
    """Whether a browser asks for a page, of which there is none: programs get the API's error."""
    return is_for_people(Headers(scope=scope)) and not scope["path"].startswith(API)
