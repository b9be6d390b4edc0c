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
ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
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
                self._add(scope, MutableHeaders(scope=message), message["status"])
            await send(message)

        await self._app(scope, receive, dress)

    def _add(self, scope: Scope, headers: MutableHeaders, status: int) -> None:
        for name, value in ALWAYS.items():
            headers[name] = value
        headers["Content-Security-Policy"] = _policy(scope["path"], headers.get("content-type", ""))
        if "set-cookie" in headers or self._is_private(scope, status):
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
