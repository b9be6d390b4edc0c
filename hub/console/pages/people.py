"""`/people`: one's colleagues, how one more is invited, and what the organisation may use and uses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import Act, choice, field, form
from hub.console.elements import Command, Entries, Moment, block, cell, described, section, table, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Choice, Column, Pager, Search, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.people import PeoplePage, read_people
from hub.console.words import amount, count, state_in_words
from skills.messages.base import API
from skills.messages.organisations import OrganisationView
from skills.messages.robots import JoinToken
from skills.messages.users import UserView

__all__ = ["page"]

ROLES = {
    "researcher": later("researcher: publishes"),
    "operator": later("operator: runs robots and campaigns"),
}
PEOPLE: tuple[Column[UserView], ...] = (
    Column(later("Name"), lambda each, _now: each.name, look="name"),
    Column(later("Role"), lambda each, _now: state_in_words(each.role)),
    Column(later("Organisation"), lambda each, _now: each.organisation),
    Column(later("Signs in"), lambda each, _now: each.issuer or _("with a token")),
    Column(later("Token ends"), at=lambda each: each.expires_at, ahead=True, never=later("never")),
)
TOKEN_COLUMNS = (
    later("Token"),
    later("Made by"),
    later("Organisation"),
    later("Uses left"),
    later("Valid until"),
    later("Take back"),
)


def _used(name: str) -> Callable[[OrganisationView, datetime], str]:
    show = amount if name.endswith("bytes") else count

    def say(each: OrganisationView, _now: datetime) -> str:
        most = getattr(each.quotas, name)
        used = show(getattr(each.use, name))
        return used if most is None else _("{used} of {most}", used=used, most=show(most))

    return say


ORGANISATIONS: tuple[Column[OrganisationView], ...] = (
    Column(later("Organisation"), lambda each, _now: each.name, look="name"),
    Column(later("People"), lambda each, _now: count(each.users), look="number"),
    Column(later("Robots"), _used("robots"), look="number"),
    Column(later("Storage"), _used("storage_bytes"), look="number"),
    Column(later("Uploads in an hour"), _used("uploads_per_hour"), look="number"),
    Column(later("Campaigns"), _used("campaigns"), look="number"),
    Column(later("Its skills are seen by"), lambda each, _now: state_in_words(each.visibility)),
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of people."""
    asked = dict(request.query_params)
    read = partial(read_people, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, _first: PeoplePage
) -> Callable[[PeoplePage, datetime], None]:
    with frame(_("People"), viewer):
        text("h1", _("People"))
        filters(
            "/people",
            asked,
            Search(later("Name"), "text"),
            Choice(later("Role"), "role", {each: state_in_words(each) for each in (*ROLES, "admin")}),
        )
        with block("section", "card"):
            people = grid(_("People"), PEOPLE, lambda each: each.name)
            pager = Pager("/people", asked)
        with section(_("Invite a colleague"), "section card"):
            text("p", _("Whoever opens the link signs in by it. It is shown only now."), "note")
            tells = f"{address}/login#{{token}}"
            with form(f"{API}/colleagues", _("Invite"), goal="", tells=tells):
                field(_("Name"), "name", maxlength="64")
                choice(_("Role"), "role", {each: _(said) for each, said in ROLES.items()}, "researcher")
                field(_("Good for, in days"), "valid_days", type="number", value="30", min="1", max="3650")
            described(block("div", "told"), data_told="")
            Command("zunft user invite NAME --role researcher")
        with described(section(_("Tokens with which robots can still join"), "section card"), id="tokens"):
            text("p", _("Each lets one robot in. What it is was shown once, to who made it."), "note")
            none_left = text("p", _("No token is left."), "blank")
            tokens = Entries[JoinToken](
                table(_("Tokens, the first to end first"), TOKEN_COLUMNS),
                lambda each: each.token_id,
                TokenRow,
            )
            Command(f"zunft token list --hub {address}")
        with section(_("Organisations and what they use"), "section card"):
            organisations = grid(_("Organisations"), ORGANISATIONS, lambda each: each.name)

    def show(found: PeoplePage, now: datetime) -> None:
        people.show(found.people.items, now)
        pager.show(found.people.next)
        none_left.set_visibility(not found.tokens.items)
        tokens.show(found.tokens.items, now)
        organisations.show(found.organisations, now)

    return show


class TokenRow:
    """A token that is still good, and the button that takes it back."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Token"), "head"):
                self._name = text("span", "", "mono")
            with cell(_("Made by")):
                self._maker = text("span")
            with cell(_("Organisation"), "minor"):
                self._organisation = text("span")
            with cell(_("Uses left")):
                self._uses = text("span", "", "number")
            with cell(_("Valid until")):
                self._ends = Moment(ahead=True)
            self._last = cell(_("Take back"))
        self._revoke: Act | None = None

    def show(self, each: JoinToken, now: datetime) -> None:
        """The token as it is now."""
        self._name.text, self._maker.text = each.token_id, each.issued_by or _("not known")
        self._organisation.text = each.organisation
        self._uses.text = _("1 of 1") if each.hall_robots is None else _("1 of 1, for a hall")
        self._ends.show(each.expires_at, now)
        if self._revoke is None:
            path = f"{API}/enrolment-tokens/{each.token_id}"
            question = _("Let no robot join with {token} any more?", token=each.token_id)
            with self._last:
                self._revoke = Act(_("Revoke"), "DELETE", path, question=question, goal="/people")
