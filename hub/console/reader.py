"""Which language a visitor reads: the one chosen here, else the best liked that the console speaks."""

from __future__ import annotations

from typing import cast, get_args

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from hub.console.language import Language, speaking

__all__ = ["COOKIE", "Spoken", "language_of"]

COOKIE = "zunft-language"
"""Where a browser keeps its visitor's choice; `console.js` writes it."""


class Spoken:
    """ASGI middleware: what answers a browser speaks its language."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        with speaking(language_of(Headers(scope=scope))):
            await self._app(scope, receive, send)


def language_of(headers: Headers) -> Language:
    """By a request's headers; English where they name none that the console speaks."""
    kept = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
    wanted = [kept, *_accepted(headers.get("accept-language", ""))]
    known = (each for each in wanted if each in get_args(Language))
    return cast("Language", next(known, "en"))


def _accepted(header: str) -> list[str]:
    """Languages without their regions, the best liked first (RFC 9110, 12.5.4)."""
    liked: list[tuple[float, str]] = []
    for part in header.split(","):
        name, _semicolon, weight = part.partition(";q=")
        try:
            liked.append((-float(weight or 1), name.strip().lower().split("-")[0]))
        except ValueError:
            continue
    return [name for weight, name in sorted(liked, key=lambda each: each[0]) if weight]
