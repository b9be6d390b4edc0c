"""`/robots/join`: robots are let in, step by step: a one-time token and one command for each.

Tokens come from the hub's API to the browser, are shown there once, and are in nothing that a page keeps.
"""

from __future__ import annotations

import asyncio

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.api.login import login_page
from hub.console.acting import field, form
from hub.console.elements import Command, block, described, link, section, text
from hub.console.frame import frame, hub_address, refuse, viewer_of
from hub.console.grids import crumbs
from hub.console.language import _
from hub.console.queries.robots import operator_of
from skills.errors import ForbiddenError, UnauthorizedError
from skills.messages.base import API

__all__ = ["page"]

LINE = "zunft robot join --hub {hub} --token {{token}} --name {{name}}-{{number}} --embodiment {{arm}}"
DAY = "86400"


async def page(request: Request) -> RedirectResponse | None:
    """Let robots in."""
    viewer = await asyncio.to_thread(viewer_of, request)
    try:
        operator_of(viewer)
    except UnauthorizedError:
        return RedirectResponse(login_page(goal=request.url.path), status_code=303)
    except ForbiddenError as error:
        refuse(error, viewer)
        return None
    address = hub_address(request)
    with frame(_("Let robots in"), viewer):
        crumbs((_("Robots"), "/robots"))
        text("h1", _("Let robots in"))
        text("p", _("Each robot joins with a token of its own, which works once."), "lead")
        with (
            section(_("1. Make tokens"), "section card"),
            form(f"{API}/enrolment-tokens", _("Make tokens"), goal="", tells=LINE.format(hub=address)),
        ):
            field(_("How many robots"), "count", type="number", value="1", min="1", max="100")
            field(_("Their name"), "name", value="robot", maxlength="50", data_local="")
            field(_("Their arm"), "arm", value="ur5e", maxlength="64", data_local="")
            field(
                _("Good for, in seconds"), "valid_seconds", type="number", value=DAY, min="60", max="31536000"
            )
        with section(_("2. On each robot, once"), "section card"):
            text(
                "p",
                _("Here comes a line for each robot, with its token, and a code to scan; only now."),
                "note",
            )
            described(block("div", "told"), data_told="", data_codes=f"{API}/qr-codes")
        with section(_("3. Let it work"), "section card"):
            text("p", _("It practises when a campaign asks it to, and takes new stable versions."), "note")
            Command("zunft robot run")
        with block("p", "section"):
            link(_("See the fleet"), "/robots", "secondary")
            link(_("Tokens that are still good"), "/people#tokens", "also")
    return None
