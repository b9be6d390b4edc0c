"""Around every request: an id, one log line, and an answer also when the hub itself fails."""

from __future__ import annotations

import re
import secrets
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub.api.errors import unexpected_response

__all__ = ["RequestLog"]

HEADER = b"x-request-id"
SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")

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
        request_id = _id_of(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (HEADER, request_id.encode())]
            await send(message)

        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(
            request_id=request_id, method=scope["method"], path=scope["path"]
        ):
            try:
                await self._app(scope, receive, send_with_id)
            except Exception:
                log.exception("request.failed")
                if status:
                    raise  # the answer has begun: all that is left is to break it off
                await unexpected_response(request_id)(scope, receive, send_with_id)
            finally:
                log.info("request", status=status, seconds=round(time.monotonic() - started, 4))


def _id_of(scope: Scope) -> str:
    given: bytes = dict(scope["headers"]).get(HEADER, b"")
    return given.decode() if SAFE_ID.fullmatch(given) else secrets.token_hex(8)
