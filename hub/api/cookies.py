"""Cookies of browsers: their names and flags, and the rule that keeps other sites from using them.

A cookie comes along whoever made the browser ask. `SameSite=Lax` keeps it out of other sites' forms and
scripts; beyond that a request that changes something is taken only when the browser says that a page of
this hub made it (fetch metadata, or the Origin header in its place).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from hub.settings import Settings
from skills.errors import ForbiddenError
from skills.lines import is_protected

__all__ = ["ATTEMPT", "SESSION", "Browser"]

SESSION = "zunft-session"
ATTEMPT = "zunft-attempt"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Browser:
    """Whoever asks, as far as cookies are concerned."""

    request: Request
    settings: Settings

    @property
    def address(self) -> str:
        """Where it reaches this hub, without a final slash."""
        return (self.settings.public_url or str(self.request.base_url)).rstrip("/")

    def check_line(self) -> None:
        """Hold to a line on which nobody reads what is sent.

        Raises:
            ForbiddenError: Plain HTTP to another machine.
        """
        if not is_protected(self.address):
            raise ForbiddenError(
                "over plain HTTP everybody on the way could read the session.",
                remedy="Ask an operator for the hub's https address, or open it on its own machine.",
                code="insecure_line",
            )

    def check_origin(self) -> None:
        """Hold a request that changes something to pages of this hub.

        Raises:
            ForbiddenError: Another site made the browser send it, or nobody says who did.
        """
        headers = self.request.headers
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if self.request.method in SAFE_METHODS or site == "same-origin":
            return
        if site is None and origin == self.address:
            return
        raise ForbiddenError(
            "a page of another site may not do this in your name.",
            where="Sec-Fetch-Site",
            remedy="Use the hub's own pages; programs send a token instead of a cookie.",
            code="cross_site",
        )

    def read(self, name: str) -> str:
        """A cookie's value; empty where there is none."""
        return self.request.cookies.get(self._full(name), "")

    def write(self, response: Response, name: str, value: str, max_age: int) -> None:
        """Set a cookie that no script reads and no other site's form sends."""
        response.set_cookie(self._full(name), value, max_age=max_age, **self._flags)

    def drop(self, response: Response, name: str) -> None:
        """Have the browser forget a cookie."""
        response.delete_cookie(self._full(name), **self._flags)

    @property
    def _has_tls(self) -> bool:
        return self.address.startswith("https:")

    def _full(self, name: str) -> str:
        """With TLS the prefix has browsers refuse one that a neighbouring site wrote (RFC 6265bis)."""
        return f"__Host-{name}" if self._has_tls else name

    @property
    def _flags(self) -> dict[str, Any]:
        return {"path": "/", "httponly": True, "samesite": "lax", "secure": self._has_tls}
