"""`/`: every skill with its score, and the campaigns that improve them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse
from nicegui.element import Element

from hub.access.principal import Viewer
from hub.console.elements import (
    Badge,
    Entries,
    Success,
    Track,
    block,
    cell,
    described,
    empty,
    link,
    number_cell,
    section,
    table,
    text,
)
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.reading import CataloguePage, read_catalogue
from hub.console.words import ago, amount, count, plural, progress
from skills.messages.campaigns import CampaignView
from skills.messages.rounds import RoundView
from skills.messages.skills import SkillView

__all__ = ["page"]

SKILL_COLUMNS = ("Skill", "Task", "Stable", "Success, 95 % interval", "Robots", "Updated")
CAMPAIGN_COLUMNS = ("Campaign", "State", "Rounds", "Opened")


async def page(request: Request) -> RedirectResponse | None:
    """Serve the catalogue."""
    build = partial(_build, hub_address(request))
    return await live(request, partial(read_catalogue, reading_of(request)), build)


def _build(address: str, viewer: Viewer, _: CataloguePage) -> Callable[[CataloguePage, datetime], None]:
    with frame("Skills", viewer):
        text("h1", "Skills")
        lead = text("p", "", "lead")
        with section("Campaigns under way") as running:
            cards = Entries[CampaignView](block("div", "cards"), _campaign_key, CampaignCard)
        with block("section", "section card") as catalogue:
            skills = Entries[SkillView](table("Skills of this hub", SKILL_COLUMNS), _skill_key, ShownSkill)
        no_skill, no_campaign = _no_skill(address), _no_campaign(address)
        with section("Earlier campaigns", "section card") as past:
            body = table("Campaigns that ended", CAMPAIGN_COLUMNS)
            ended = Entries[CampaignView](body, _campaign_key, ShownCampaign)

    def show(found: CataloguePage, now: datetime) -> None:
        active = [campaign for campaign in found.campaigns if campaign.state == "running"]
        over = [campaign for campaign in found.campaigns if campaign.state != "running"]
        lead.text = _in_words(found, len(active))
        for part, wanted in ((running, active), (catalogue, found.skills), (past, over)):
            part.set_visibility(bool(wanted))
        no_skill.set_visibility(not found.skills)
        no_campaign.set_visibility(bool(found.skills) and not found.campaigns)
        cards.show(active, now)
        skills.show(found.skills, now)
        ended.show(over, now)

    return show


class ShownSkill:
    """A skill on one line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Skill", "head"):
                self._name = link("", "/", "name")
                self._summary = text("span", "", "note")
            self._task = number_cell("Task")
            self._stable = number_cell("Stable")
            with cell("Success"):
                self._success = Success()
            self._robots = number_cell("Robots")
            self._updated = number_cell("Updated")

    def show(self, skill: SkillView, now: datetime) -> None:
        """The skill as it is now."""
        stable = skill.stable
        self._name.text, self._summary.text, self._task.text = skill.name, skill.summary, skill.task
        described(self._name, href=f"/skills/{skill.name}")
        self._stable.text = f"v{stable.version}" if stable else "none yet"
        self._success.show(stable.score if stable else None)
        self._robots.text = count(stable.contributors) if stable else "0"
        self._updated.text = ago(skill.updated_at, now)


class CampaignCard:
    """A running campaign: where it is, and whom it waits for."""

    def __init__(self) -> None:
        with block("article", "card") as self.element:
            with block("div", "titled"):
                with block("h3"):
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
        self._round.text = f"Round {last.number if last else 1} of {total}"
        self._waiting.text = campaign.waiting_for
        self._deltas.text = _arrived(last) if last else ""


class ShownCampaign:
    """A campaign that ended."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Campaign", "head"):
                self._name = link("", "/", "name")
                self._reason = text("span", "", "note")
            with cell("State"):
                self._badge = Badge()
            self._rounds = number_cell("Rounds")
            self._opened = number_cell("Opened")

    def show(self, campaign: CampaignView, now: datetime) -> None:
        """The campaign as it is now."""
        done, total = progress(campaign)
        self._name.text, self._reason.text = campaign.order.skill, campaign.reason
        described(self._name, href=f"/campaigns/{campaign.campaign_id}")
        self._badge.show(campaign.state)
        self._rounds.text = f"{done} of {total}"
        self._opened.text = ago(campaign.created_at, now)


def _skill_key(skill: SkillView) -> str:
    return skill.name


def _campaign_key(campaign: CampaignView) -> str:
    return campaign.campaign_id


def _in_words(found: CataloguePage, active: int) -> str:
    if not found.skills:
        return "What robots have learned together will stand here."
    busy = plural(active, "campaign") if active else "no campaign"
    more = " or more" if found.more else ""
    return f"{plural(len(found.skills), 'skill')}{more}, {busy} under way."


def _arrived(entry: RoundView) -> str:
    return f"{plural(entry.deltas, 'delta')} so far: {count(entry.samples)} steps, {amount(entry.bytes)}"


def _no_skill(address: str) -> Element:
    return empty(
        "Publish a first skill",
        "Robots need something to start from: an untrained network that fits the task. Make one and publish "
        "it with a researcher's token.",
        "zunft skill new weld-seam -o weld-seam.skill",
        f"zunft skill publish weld-seam.skill --hub {address} --token TOKEN",
    )


def _no_campaign(address: str) -> Element:
    return empty(
        "Start a campaign",
        "A campaign asks robots to practise a skill round by round. Let robots in, give the order, and its "
        "progress appears here.",
        f"zunft token create --count 4 --hub {address} --token TOKEN",
        f"zunft campaign start weld-seam --rounds 12 --hub {address} --token TOKEN",
    )
