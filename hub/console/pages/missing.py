"""Where there is no page, and where one failed: said in words, with the way back."""

from __future__ import annotations

import asyncio

from fastapi import Request
from nicegui import ui

from hub.console.frame import fail, refuse, viewer_of
from hub.console.language import TAGS, _, spoken
from skills.errors import NotFoundError

__all__ = ["failed", "page"]


async def page(request: Request, rest: str) -> None:
    """Say that there is nothing at this address."""
    viewer = await asyncio.to_thread(viewer_of, request)
    refuse(
        NotFoundError(_("there is no page /{rest}.", rest=rest[:64]), remedy=_("See what there is.")), viewer
    )


def failed(_error: Exception) -> None:
    """Say that the hub failed; its log has the reason."""
    ui.context.client.page.language = TAGS[spoken()]
    fail()
    ui.context.client.status_code = 500
