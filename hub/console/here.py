"""The console's pages in this process, built by NiceGUI, which is loaded when the first one is asked for.

NiceGUI's state is global: of several hubs in a process one has its pages open at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from hub.console.reading import SCOPE_KEY, SNAPSHOTS_KEY
from hub.services import Services

__all__ = ["PagesHere"]


class PagesHere:
    """An ASGI app: one hub's pages."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()
        self._pages: FastAPI | None = None
        self._given: dict[str, object] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to NiceGUI together with the services that it is about."""
        pages = await self._opened()
        if pages is None:
            busy = PlainTextResponse("Another hub in this process has its console open.", status_code=503)
            await busy(scope, receive, send)
            return
        await pages({**scope, **self._given}, receive, send)

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Close the pages at the end, if anybody opened them."""
        async with self._open:
            yield
        self._pages = None

    async def _opened(self) -> FastAPI | None:
        async with self._opening:
            if self._pages is None:
                # Half a second that robots need not wait for.
                from hub.console import live, pages  # noqa: PLC0415

                built = await asyncio.to_thread(pages.build)
                if not pages.is_running():
                    shared = live.snapshots(self._services)
                    self._open.callback(shared.close)
                    self._given = {SCOPE_KEY: self._services, SNAPSHOTS_KEY: shared}
                    await self._open.enter_async_context(built.router.lifespan_context(built))
                    self._pages = built
            return self._pages
