"""The console's pages in a process of their own, so that building them keeps no robot waiting.

The process is started by the first page that somebody asks for, and anew where it has died; it ends with this
one. This process only passes on what browsers ask and what they are answered, over a socket that nobody else
can open. What it runs is `hub.console.process`.
"""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

import httpx
import structlog
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from hub.console.process import serve_pages
from hub.services import Services

__all__ = ["PagesApart"]

ANSWER_SECONDS = 60.0
"""How long an answer may keep a browser waiting; the first one waits for the process to start."""
STOP_SECONDS = 5.0
PAUSE = 1.0  # seconds before what died is started anew: it may die at its start
BACKLOG = 128
HOP = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"content-length"}
)
"""Headers of one connection, which are not passed on (RFC 9110, 7.6.1)."""
OURS = (b"x-forwarded-", b"forwarded", b"sec-websocket-", b"origin", b"host")
"""Prefixes of what is said anew."""

Pairs = list[tuple[bytes, bytes]]
log = structlog.get_logger("zunft.console")


class PagesApart:
    """An ASGI app that passes on to the process."""

    def __init__(self, services: Services) -> None:
        self._settings = services.settings
        self._keeper: asyncio.Task[None] | None = None
        self._process: SpawnProcess | None = None

    @asynccontextmanager
    async def closing(self) -> AsyncIterator[None]:
        """Listen for this process alone, and end the other at the end."""
        with _private_listener() as (self._path, self._listener):
            # No connection is kept: the other end of it may have died.
            transport = httpx.AsyncHTTPTransport(
                uds=self._path, limits=httpx.Limits(max_keepalive_connections=0)
            )
            async with httpx.AsyncClient(transport=transport, timeout=ANSWER_SECONDS) as self._http:
                try:
                    yield
                finally:
                    if self._keeper is not None:
                        self._keeper.cancel()
                    await asyncio.to_thread(self._end)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on one request or one socket."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_up())
        if scope["type"] == "websocket":
            await self._pass_on_socket(scope, receive, send)
        else:
            await self._pass_on(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A page or a file of one; nothing of a body, because pages are only read."""
        asked = self._http.build_request(scope["method"], _address(scope, "http"), headers=_said(scope))
        try:
            answer = await self._ask(asked)
        except httpx.TransportError as error:
            log.warning("console.no_answer", reason=repr(error))
            sorry = PlainTextResponse("The console does not answer; try again.", status_code=503)
            await sorry(scope, receive, send)
            return
        try:
            headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in HOP]
            start = {"type": "http.response.start", "status": answer.status_code, "headers": headers}
            await send(start)
            async for piece in answer.aiter_raw():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await answer.aclose()

    async def _ask(self, asked: httpx.Request) -> httpx.Response:
        """Its answer; once more where the process died over it, since the next one does as well."""
        try:
            return await self._http.send(asked, stream=True)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            return await self._http.send(asked, stream=True)

    async def _pass_on_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the browser's wish to connect
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _said(scope)[1:]]
        try:
            line = await unix_connect(
                self._path,
                _address(scope, "ws"),
                origin=Origin(_header(scope, b"origin")),
                additional_headers=headers,
                compression=None,
                max_size=None,
                ping_interval=None,
                user_agent_header=None,
            )
        except (OSError, WebSocketException) as error:
            log.warning("console.no_socket", reason=repr(error))
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept"})
        answering = asyncio.create_task(_answer(line, send))
        try:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                await line.send(text if text is not None else message["bytes"])
        except WebSocketException:
            pass  # the other process closed it; the browser hears that from `_answer`
        finally:
            await line.close()
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering

    async def _keep_up(self) -> None:
        """Start the process, and anew when it has died; the next one answers who asked meanwhile."""
        while True:
            self._process = await asyncio.to_thread(self._start)
            await _end_of(self._process)
            log.warning("console.died", status=self._process.exitcode)
            await asyncio.sleep(PAUSE)

    def _start(self) -> SpawnProcess:
        given = (self._settings, self._listener)
        process = get_context("spawn").Process(target=serve_pages, args=given, name="zunft-console")
        process.start()
        return process

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.join(STOP_SECONDS)
            self._process.kill()
            self._process.join()


async def _end_of(process: SpawnProcess) -> None:
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()


async def _answer(line: ClientConnection, send: Send) -> None:
    async for message in line:
        kind = "text" if isinstance(message, str) else "bytes"
        await send({"type": "websocket.send", kind: message})
    await send({"type": "websocket.close", "code": line.close_code or 1000})


@contextmanager
def _private_listener() -> Iterator[tuple[str, socket.socket]]:
    """A socket in a folder that this user alone may enter."""
    with (
        tempfile.TemporaryDirectory(prefix="zunft-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = str(Path(folder) / "console")
        listener.bind(path)
        listener.listen(BACKLOG)
        yield path, listener


def _said(scope: Scope) -> Pairs:
    """The browser's headers, and from where and how it came; its Host comes first."""
    kept = [
        (name, value) for name, value in scope["headers"] if name not in HOP and not name.startswith(OURS)
    ]
    scheme = "https" if scope["scheme"] in {"https", "wss"} else "http"
    came = [(b"x-forwarded-proto", scheme.encode()), (b"x-forwarded-for", scope["client"][0].encode())]
    return [(b"host", _header(scope, b"host").encode("latin-1")), *kept, *came]


def _address(scope: Scope, scheme: str) -> str:
    query = scope["query_string"].decode("latin-1")
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return f"{scheme}://{_header(scope, b'host')}{path}{'?' * bool(query)}{query}"


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
