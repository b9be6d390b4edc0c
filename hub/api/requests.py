"""Around every request: an id, one log line, and the one error shape where no route could give it."""

from __future__ import annotations

import itertools
import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.errors import nowhere_response, too_large_response, unexpected_response

__all__ = ["RequestLog"]

HEADER = b"x-request-id"
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
TOO_LARGE = 413
LONGEST_PATH = 500
"""Characters of an address in the log."""
PROCESS = secrets.token_hex(4)
"""Begins the ids that this process gives."""
NUMBERS = itertools.count(secrets.randbits(32))

log = structlog.get_logger("zunft.api")


class RequestLog:
    """ASGI middleware. A caller's own X-Request-ID is kept when it is harmless."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(
            request_id=answer.request_id, method=scope["method"], path=scope["path"][:LONGEST_PATH]
        ):
            try:
                # No database has a NUL in its texts, so nothing lies at such an address.
                app = self._app if "\x00" not in scope["path"] else nowhere_response(answer.request_id)
                await app(scope, receive, answer.send)
            except Exception:
                log.exception("request.failed")
                if answer.status:
                    raise  # the answer has begun: all that is left is to break it off
                await unexpected_response(answer.request_id)(scope, receive, answer.send)
            finally:
                log.info("request", status=answer.status, seconds=round(time.monotonic() - started, 4))


class _Answer:
    """The way out of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.request_id = _id_of(scope)
        self.status = 0
        self._replaced = False
        self._scope = scope
        self._receive = receive
        self._send = send
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        """Pass a message on, with the request's id."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            headers = message.get("headers", [])
            self.status = message["status"]
            if self.status == TOO_LARGE and (b"content-type", b"application/json") not in headers:
                # The framework breaks off a body over the limit and answers in plain text, past all handlers.
                self._replaced = True
                await too_large_response(self.request_id)(self._scope, self._receive, self._pass_on)
                return
        await self._pass_on(message)

    async def _pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), (HEADER, self.request_id.encode())]
        await self._send(message)


def _id_of(scope: Scope) -> str:
    for name, given in scope["headers"]:
        if name == HEADER and SAFE_ID.fullmatch(given):
            return str(given, "ascii")
    # Asking the system for randomness lets other threads go first, each time; ids need only be different.
    return f"{PROCESS}{next(NUMBERS) & 0xFFFFFFFF:08x}"
