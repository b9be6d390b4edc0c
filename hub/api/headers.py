"""Security headers on every answer, whoever gave it; what browsers and proxies may do with it.

The console needs inline scripts and `eval` (NiceGUI compiles its templates in the browser), so its
policy does not stop injected scripts, which the pages' own escaping does; it keeps all other servers out.
"""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skills.messages.base import API
from skills.proof import INPUT

__all__ = ["SecurityHeaders"]

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGES = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
EXPLORER = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; worker-src blob:; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net https://fonts.googleapis.com; "
    "img-src 'self' data: https:; font-src https://fonts.gstatic.com; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""Of the API's two explorers, whose scripts come from where FastAPI keeps them."""

EXPLORERS = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc"})
ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
"""Of every answer, in place of what a route says; as ASGI has headers, for there are many answers."""
POLICY = b"content-security-policy"
OURS = frozenset({POLICY, *(name for name, _ in ALWAYS)})
CREDENTIALS = frozenset({b"authorization", INPUT.lower().encode()})
NEEDS_LOGIN = frozenset({401, 403})


class SecurityHeaders:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, public_catalogue: bool) -> None:
        self._app = app
        self._public = public_catalogue

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def dress(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add(scope, message)
            await send(message)

        await self._app(scope, receive, dress)

    def _add(self, scope: Scope, message: Message) -> None:
        raw = [*(each for each in message.get("headers", []) if each[0] not in OURS), *ALWAYS]
        message["headers"], headers = raw, MutableHeaders(raw=raw)
        raw.append((POLICY, _policy(scope["path"], headers.get("content-type", "")).encode()))
        if "set-cookie" in headers or self._is_private(scope, message["status"]):
            headers["Cache-Control"] = "no-store"
        elif scope["path"].startswith(API):
            headers.setdefault("Cache-Control", "no-cache")

    def _is_private(self, scope: Scope, status: int) -> bool:
        """Whether the answer is for this caller alone."""
        if status in NEEDS_LOGIN:
            return True
        names = {name for name, _ in scope["headers"]}
        in_api = scope["path"].startswith(API)
        # A cookie comes along with everything; NiceGUI has its pages stored nowhere, and its scripts kept.
        return bool(names & CREDENTIALS) or (in_api and (not self._public or b"cookie" in names))


def _policy(path: str, content_type: str) -> str:
    if path in EXPLORERS:
        return EXPLORER
    return PAGES if content_type.startswith("text/html") else NOTHING
