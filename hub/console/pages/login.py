"""`/login`: who are you? At the issuer of the hub, or with a token."""

from __future__ import annotations

import asyncio
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Query, Request
from fastapi.responses import RedirectResponse

from hub.api.cookies import Browser
from hub.api.login import local_path
from hub.console.acting import field, form
from hub.console.elements import Command, block, described, text
from hub.console.frame import frame, reading_of, viewer_of
from hub.console.language import _, later
from hub.services import Services
from skills.lines import is_protected
from skills.messages.base import API

__all__ = ["page"]

Goal = Annotated[str, Query(alias="next")]

REFUSALS = {
    "issuer_unavailable": later("The place where people sign in does not answer. Try again in a moment."),
    "not_invited": later(
        "You are known there, but may not use this hub. Ask its operators for a group that may."
    ),
    "name_taken": later("Somebody else already has your name on this hub. Its operators can change that."),
    "unknown_organisation": later("Your organisation is not on this hub yet. Its admins can bring it in."),
    "unusable_claims": later(
        "What is known of you there does not make a user here. Ask the hub's operators."
    ),
}
OTHERWISE = later("That did not work. Begin again from here; an operator finds the reason in the hub's log.")
OPEN_LINE = later(
    "This page came over plain HTTP, where everybody on the way could read your sign-in. Use the hub's https "
    "address, or open it on its own machine."
)


async def page(request: Request, goal: Goal = "/", refused: str = "") -> RedirectResponse | None:
    """Ask who looks; who is signed in already goes on."""
    goal = local_path(goal)
    if await asyncio.to_thread(viewer_of, request) is not None:
        return RedirectResponse(goal, status_code=303)
    hub = reading_of(request)
    with frame(_("Sign in"), None), block("div", "narrow"):
        text("h1", _("Sign in"))
        if refused:
            described(text("p", _(REFUSALS.get(refused, OTHERWISE)), "refusal said"), role="alert")
        if not is_protected(Browser(request, hub.settings).address):
            described(text("p", _(OPEN_LINE), "refusal said"), role="alert")
            return None
        _ways_in(hub, goal)
    return None


def _ways_in(hub: Services, goal: str) -> None:
    if hub.access.issuer is not None:
        there = f"/login/issuer?next={quote(goal, safe='')}"
        with block("section", "section card"):
            described(
                text(
                    "a", _("Continue at {issuer}", issuer=urlsplit(hub.access.issuer.name).netloc), "primary"
                ),
                href=there,
            )
        text("p", _("or"), "or")
    secret = {"type": "password", "autocomplete": "current-password", "minlength": "16", "maxlength": "256"}
    look = "primary" if hub.access.issuer is None else "secondary"
    with block("section", "section card"), form(f"{API}/sessions", _("Sign in"), goal=goal, look=look):
        field(_("Your token"), "token", placeholder="zt_\u2026", **secret)
    text("p", _("An admin of this hub makes one for you:"), "note step")
    Command("zunft user create NAME --role operator")
