"""`/skills/{name}/robots`: which robots run which version, and how it goes there, as they say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.claims import CLAIMS, FLEET
from hub.console.elements import Command, block, section, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Choice, Pager, Search, chips, crumbs, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.adoption import AdoptionPage, read_adoption
from hub.console.queries.asking import Asked
from hub.console.words import count

__all__ = ["page"]


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve a page of a skill's robots."""
    asked = dict(request.query_params)
    read = partial(read_adoption, reading_of(request), name, asked)
    return await live(request, read, partial(_build, hub_address(request), name, asked))


def _build(
    address: str, name: str, asked: Asked, viewer: Viewer, first: AdoptionPage
) -> Callable[[AdoptionPage, datetime], None]:
    path = f"/skills/{quote(name)}/robots"
    known = {str(each.version): f"v{each.version}" if each.version else _("none") for each in first.adoption}
    with frame(_("Robots with {skill}", skill=name), viewer):
        crumbs((_("Skills"), "/skills"), (name, f"/skills/{quote(name)}"))
        text("h1", _("Robots with {skill}", skill=name))
        text("p", _(CLAIMS), "lead")
        versions = chips(path, asked, "version", {"": later("all"), **known})
        filters(
            path,
            asked,
            Search(later("Name or id"), "text"),
            Search(later("Arm"), "embodiment"),
            Choice(later("Version"), "drifts", {"true": later("another than it should be")}),
            Choice(later("Refuses"), "refused", {"true": later("a version of it")}),
        )
        with block("section", "card") as listed:
            rows = grid(_("Robots that ask for the skill"), FLEET, lambda robot: robot.robot_id)
            pager = Pager(path, asked)
        nobody = text("p", _("No robot is like that."), "blank")
        with section(_("From a terminal"), "section card"):
            Command(f"zunft fleet status {name} --hub {address} --token TOKEN")
            Command(f"zunft fleet adoption {name} --hub {address} --token TOKEN")

    def show(found: AdoptionPage, now: datetime) -> None:
        for each in found.adoption:
            if chip := versions.get(str(each.version)):
                chip.text = f"{known[str(each.version)]} {count(each.robots)}"
        listed.set_visibility(bool(found.robots.items))
        nobody.set_visibility(not found.robots.items)
        rows.show(found.robots.items, now)
        pager.show(found.robots.next)

    return show
