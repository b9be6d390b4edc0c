"""`/people`: one's colleagues, how one more is invited, and what the organisation may use and uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import choice, field, form
from hub.console.elements import Command, block, described, section, text
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.grids import Choice, Column, Pager, Search, filters, grid
from hub.console.queries.asking import Asked
from hub.console.queries.people import PeoplePage, read_people
from hub.console.words import amount, count, until
from skills.messages.base import API
from skills.messages.organisations import OrganisationView
from skills.messages.users import UserView

__all__ = ["page"]

ROLES = {"researcher": "researcher: publishes", "operator": "operator: runs robots and campaigns"}
PEOPLE: tuple[Column[UserView], ...] = (
    Column("Name", lambda each, _: each.name, look="name"),
    Column("Role", lambda each, _: each.role),
    Column("Organisation", lambda each, _: each.organisation),
    Column("Signs in", lambda each, _: each.issuer or "with a token"),
    Column(
        "Token ends",
        lambda each, now: until(each.expires_at, now) if each.expires_at else "never",
        look="number",
    ),
)


def _used(name: str) -> Callable[[OrganisationView, datetime], str]:
    show = amount if name.endswith("bytes") else count

    def say(each: OrganisationView, _: datetime) -> str:
        most = getattr(each.quotas, name)
        return show(getattr(each.use, name)) + (f" of {show(most)}" if most is not None else "")

    return say


ORGANISATIONS: tuple[Column[OrganisationView], ...] = (
    Column("Organisation", lambda each, _: each.name, look="name"),
    Column("People", lambda each, _: count(each.users), look="number"),
    Column("Robots", _used("robots"), look="number"),
    Column("Storage", _used("storage_bytes"), look="number"),
    Column("Uploads in an hour", _used("uploads_per_hour"), look="number"),
    Column("Campaigns", _used("campaigns"), look="number"),
    Column("Its skills are seen by", lambda each, _: each.visibility),
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of people."""
    asked = dict(request.query_params)
    read = partial(read_people, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, _: PeoplePage
) -> Callable[[PeoplePage, datetime], None]:
    with frame("People", viewer):
        text("h1", "People")
        filters(
            "/people",
            asked,
            Search("Name", "text"),
            Choice("Role", "role", {each: each for each in (*ROLES, "admin")}),
        )
        with block("section", "card"):
            people = grid("People", PEOPLE, lambda each: each.name)
            pager = Pager("/people", asked)
        with section("Invite a colleague", "section card"):
            text("p", "Whoever opens the link signs in by it. It is shown only now.", "note")
            tells = f"{address}/login#{{token}}"
            with form(f"{API}/colleagues", "Invite", goal="", tells=tells):
                field("Name", "name", maxlength="64")
                choice("Role", "role", ROLES, "researcher")
                field("Good for, in days", "valid_days", type="number", value="30", min="1", max="3650")
            described(block("div", "told"), data_told="")
            Command("zunft user invite NAME --role researcher")
        with section("Organisations and what they use", "section card"):
            organisations = grid("Organisations", ORGANISATIONS, lambda each: each.name)

    def show(found: PeoplePage, now: datetime) -> None:
        people.show(found.people.items, now)
        pager.show(found.people.next)
        organisations.show(found.organisations, now)

    return show
