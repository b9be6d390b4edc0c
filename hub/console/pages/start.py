"""`/`: what goes on now, what needs a person, what happened last; on an empty hub, how to begin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.beginning import FirstSteps
from hub.console.elements import (
    Badge,
    Entries,
    FigureRow,
    Moment,
    Track,
    block,
    described,
    link,
    section,
    text,
)
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Column, grid
from hub.console.happenings import address_of, in_words
from hub.console.language import _, later
from hub.console.live import live
from hub.console.pages.rollouts import STANDING
from hub.console.queries.start import StartPage, read_start
from hub.console.words import amount, count, plural, progress
from skills.messages.campaigns import CampaignView
from skills.messages.events import Event
from skills.messages.overview import Need, NeedKind
from skills.messages.robots import RobotCounts
from skills.messages.rollouts import RolloutView
from skills.messages.rounds import RoundView

__all__ = ["page"]

SENTENCES: dict[NeedKind, str] = {
    "candidate_rejected": later("The newest candidate of {about} was rejected."),
    "release_refused": later("A version of {about} was not released."),
    "campaign_failed": later("The campaign for {about} failed."),
    "task_refused": later("The task {about} did not pass its check."),
    "robots_lost": later("{number} of your robots are missed."),
    "robots_refuse": later("{number} of your robots would not take a version."),
    "quota": later("{about} has nearly used up what it may."),
    "rollout_waits": later("The roll-out of {about} waits for a word before its next ring."),
    "rollout_paused": later("The roll-out of {about} is paused."),
    "rollout_stopped": later("A version of {about} failed on robots and was taken back."),
}
NEEDS: dict[NeedKind, str] = {
    "candidate_rejected": "/skills/{about}",
    "release_refused": "/skills/{about}",
    "campaign_failed": "/skills/{about}",
    "task_refused": "/tasks/{about}",
    "robots_lost": "/robots?state=lost",
    "robots_refuse": "/robots?refusing=true",
    "quota": "/people",
    "rollout_waits": "/rollouts/{rollout}",
    "rollout_paused": "/rollouts/{rollout}",
    "rollout_stopped": "/rollouts/{rollout}",
}
"""Where a person goes on."""

ROLLING: tuple[Column[RolloutView], ...] = (
    *STANDING,
    Column(later("Since"), at=lambda each: each.rings[each.ring - 1].opened_at, never=later("not yet")),
)
HAPPENED: tuple[Column[Event], ...] = (
    Column(later("What"), lambda each, _: in_words(each), target=lambda each: address_of(each) or "/"),
    Column(later("When"), at=lambda each: each.at),
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve the hub at a glance."""
    return await live(
        request, partial(read_start, reading_of(request)), partial(_build, hub_address(request))
    )


def _build(address: str, viewer: Viewer, first: StartPage) -> Callable[[StartPage, datetime], None]:
    with frame(_("Start"), viewer):
        text("h1", _("Today"))
        lead = text("p", "", "lead")
        steps = FirstSteps(address, viewer, first.tasks)
        figures = FigureRow(
            (later("Robots online"), later("Away"), later("Lost"), later("Would not take a version"))
        )
        with section(_("Needs a person"), "section card warned") as needed:
            needs = Entries[Need](block("ul", "needs"), _need_key, NeedLine)
        with section(_("Campaigns under way")) as running:
            cards = Entries[CampaignView](block("div", "cards"), _campaign_key, CampaignCard)
        with section(_("Roll-outs under way"), "section card") as rolling:
            rollouts = grid(_("Roll-outs under way, newest first"), ROLLING, lambda each: each.rollout_id)
        with section(_("What happened last"), "section card") as past:
            events = grid(_("Events, newest first"), HAPPENED, lambda each: each.id)

    def show(found: StartPage, now: datetime) -> None:
        seen = found.overview
        lead.text = _in_words(found)
        steps.show(found)
        figures.element.set_visibility(seen.robots is not None and seen.robots.robots > 0)
        if seen.robots is not None:
            _show_robots(figures, seen.robots)
        for part, wanted in ((needed, seen.needs), (running, seen.campaigns), (past, seen.events)):
            part.set_visibility(bool(wanted))
        rolling.set_visibility(bool(seen.rollouts))
        needs.show(seen.needs, now)
        cards.show(seen.campaigns, now)
        rollouts.show(seen.rollouts, now)
        events.show(seen.events, now)

    return show


def _in_words(found: StartPage) -> str:
    seen = found.overview
    if not seen.begun.skill:
        return _("Nothing has been learned here yet.")
    busy = plural(len(seen.campaigns), "campaign") if seen.campaigns else _("No campaign")
    if seen.robots is None:
        return _("{busy} under way.", busy=busy)
    if not seen.needs:
        return _("{busy} under way, all is well.", busy=busy)
    needs = plural(len(seen.needs), "thing")
    return _("{busy} under way, {needs} for a person to look at.", busy=busy, needs=needs)


def _show_robots(figures: FigureRow, counts: RobotCounts) -> None:
    figures.show("Robots online", count(counts.online), _("of {robots}", robots=count(counts.robots)))
    figures.show("Away", count(counts.away + counts.new), _("{new} not heard of yet", new=count(counts.new)))
    figures.show("Lost", count(counts.lost))
    figures.show("Would not take a version", count(counts.refusing))


class NeedLine:
    """One thing for a person: what, why, since when, and where to go."""

    def __init__(self) -> None:
        with block("li") as self.element:
            self._what = link("", "/", "name")
            self._why, self._when = text("span", "", "note"), Moment("note number")

    def show(self, need: Need, now: datetime) -> None:
        """It as it is now."""
        self._what.text = _(SENTENCES[need.kind], about=need.about, number=count(need.number))
        self._why.text = need.reason
        address = NEEDS[need.kind].format(about=quote(need.about), rollout=quote(need.rollout))
        described(self._what, href=address)
        self._when.show(need.at, now)


class CampaignCard:
    """A running campaign: where it is, and whom it waits for."""

    def __init__(self) -> None:
        with block("article", "card") as self.element:
            with block("h3", "titled"):
                self._name = link("", "/")
                self._badge = Badge()
            self._track = Track()
            self._round = text("p", "", "number")
            self._waiting = text("p", "", "note")
            self._deltas = text("p", "", "note")

    def show(self, campaign: CampaignView, _now: datetime) -> None:
        """The campaign as it is now."""
        done, total = progress(campaign)
        self._name.text = campaign.order.skill
        described(self._name, href=f"/campaigns/{campaign.campaign_id}")
        self._track.show(done, total, ended=False)
        last = campaign.rounds[-1] if campaign.rounds else None
        self._badge.show(last.state if last else campaign.state)
        self._round.text = _("Round {number} of {total}", number=last.number if last else 1, total=total)
        self._waiting.text = campaign.waiting_for
        self._deltas.text = _arrived(last) if last else ""


def _arrived(entry: RoundView) -> str:
    return _(
        "{deltas} so far: {samples} steps, {bytes}",
        deltas=plural(entry.deltas, "delta"),
        samples=count(entry.samples),
        bytes=amount(entry.bytes),
    )


def _need_key(need: Need) -> tuple[str, str, str]:
    return need.kind, need.about, need.reason


def _campaign_key(campaign: CampaignView) -> str:
    return campaign.campaign_id
