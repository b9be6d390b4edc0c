"""`/robots`: the fleet, a page at a time: who is there, who is missed, what each refuses and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.claims import CLAIMS, drift_in_words, in_use, jobs_in_words, since
from hub.console.elements import block, described, empty, link, text
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Choice, Column, Pager, Search, chips, filters, grid
from hub.console.language import _, later
from hub.console.live import live
from hub.console.queries.asking import Asked
from hub.console.queries.robots import FleetPage, read_fleet
from hub.console.words import count, plural
from skills.messages.reports import Use
from skills.messages.robots import RobotCounts, RobotView

__all__ = ["page"]

Line = tuple[RobotView, tuple[Use, ...]]
STATES = {
    "": later("all"),
    "online": later("online"),
    "away": later("away"),
    "lost": later("lost"),
    "new": later("not heard of yet"),
}
REFUSING = {"true": later("something"), "false": later("nothing")}


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of the fleet."""
    asked = dict(request.query_params)
    read = partial(read_fleet, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, _viewer: Viewer, _first: FleetPage
) -> Callable[[FleetPage, datetime], None]:
    with frame(_("Robots"), _viewer):
        with block("div", "titled"):
            text("h1", _("Robots"))
            described(text("a", _("Let robots in"), "primary apart"), href="/robots/join")
        lead = text("p", "", "lead")
        states = chips("/robots", asked, "state", STATES)
        filters(
            "/robots",
            asked,
            Search(later("Name or id"), "text"),
            Search(later("Arm"), "embodiment"),
            Search(later("Organisation"), "organisation"),
            Choice(later("Refuses"), "refusing", REFUSING),
        )
        with block("section", "card") as listed:
            rows = grid(_("Robots"), COLUMNS, lambda line: line[0].robot_id)
            text("p", _(CLAIMS), "note step")
            pager = Pager("/robots", asked)
        nothing = empty(
            _("Let robots in"),
            _("A robot joins with a one-time token and one command; then it proves itself by its own key."),
            f"zunft token create --count 4 --hub {address} --token TOKEN",
        )
        with nothing:
            link(_("Do it from here"), "/robots/join", "primary step")
        nobody = text("p", _("No robot is like that."), "blank")

    def show(found: FleetPage, now: datetime) -> None:
        lead.text = fleet_in_words(found.counts)
        for state, chip in states.items():
            number = getattr(found.counts, state) if state else found.counts.robots
            chip.text = f"{_(STATES[state])} {count(number)}"
        listed.set_visibility(bool(found.robots.items))
        nothing.set_visibility(not found.counts.robots)
        nobody.set_visibility(bool(found.counts.robots and not found.robots.items))
        rows.show([(robot, found.uses.get(robot.robot_id, ())) for robot in found.robots.items], now)
        pager.show(found.robots.next)

    return show


def fleet_in_words(counts: RobotCounts) -> str:
    """Who is there, in a sentence."""
    if not counts.robots:
        return _("No robot has joined yet.")
    numbers = {"online": counts.online, "away": counts.away, "lost": counts.lost}
    parts = [
        f"{count(number)} {_(STATES[each])}" for each, number in numbers.items() if number or each != "lost"
    ]
    said = f"{plural(counts.robots, 'robot')}: {', '.join(parts)}"
    if not counts.refusing:
        return f"{said}."
    return _("{said}; {robots} would not take a version.", said=said, robots=plural(counts.refusing, "robot"))


def _refused(line: Line, _now: datetime) -> str:
    said = line[0].refusal
    return f"{said.skill} v{said.version}" if said and said.version else said.skill if said else ""


def _why(line: Line, _now: datetime) -> str:
    return line[0].refusal.reason if line[0].refusal else ""


def _each(say: Callable[[Use, datetime], str]) -> Callable[[Line, datetime], str]:
    """Of all skills that a robot asks for, what it says of each."""
    return lambda line, now: "; ".join(filter(None, (say(each, now) for each in line[1])))


COLUMNS: tuple[Column[Line], ...] = (
    Column(
        later("Robot"),
        lambda line, _now: line[0].name,
        look="name",
        target=lambda line: f"/robots/{line[0].robot_id}",
        aside=lambda line, _now: line[0].robot_id,
    ),
    Column(later("State"), lambda line, _now: line[0].state, look="badge"),
    Column(later("Arm"), lambda line, _now: line[0].embodiment),
    Column(
        later("Fits it"),
        lambda _line, _now: _("Skills"),
        target=lambda line: f"/skills?robot={quote(line[0].robot_id)}",
    ),
    Column(later("Organisation"), lambda line, _now: line[0].organisation, minor=True),
    Column(later("Last seen"), at=lambda line: line[0].last_seen_at, never=later("never")),
    Column(later("Uses"), _each(lambda use, now: f"{use.skill} {in_use(use, now)}"), aside=_each(since)),
    Column(later("Drift"), _each(drift_in_words), look="warn"),
    Column(later("Jobs with it"), _each(jobs_in_words)),
    Column(later("Would not take"), _refused, aside=_why),
)
