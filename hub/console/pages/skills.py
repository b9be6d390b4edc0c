"""`/skills`: find a skill by words, task, arm, organisation, channel and score; best first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import upload
from hub.console.elements import (
    Entries,
    Success,
    block,
    cell,
    described,
    empty,
    link,
    number_cell,
    section,
    table,
    text,
    time_cell,
)
from hub.console.frame import frame, hub_address, reading_of
from hub.console.grids import Choice, Pager, Search, filters
from hub.console.language import _, later
from hub.console.live import live
from hub.console.pictures import TaskPicture
from hub.console.queries.asking import Asked
from hub.console.queries.skills import SkillsPage, read_skills
from hub.console.words import count
from skills.messages.base import API
from skills.messages.skills import ScoreView, SkillView, VersionView

__all__ = ["page"]

COLUMNS = (
    later("Skill"),
    later("Task"),
    later("Stable"),
    later("Success, 95 % interval"),
    later("Robots"),
    later("Updated"),
)
FIELDS = (
    Search(later("What it should do"), "text"),
    Search(later("Task"), "task"),
    Search(later("Measured on arm"), "embodiment"),
    Search(later("Organisation"), "organisation"),
    Choice(
        later("Has a version that is"),
        "channel",
        {"stable": later("stable"), "candidate": later("a candidate")},
    ),
    Search(later("Success at least, 0 to 1"), "lowest_score", kind="number", step="0.01"),
    Choice(
        later("Order"),
        "sort",
        {"name": later("by name"), "updated": later("newest first")},
        none=later("best first"),
    ),
)

BY_WORDS = later(
    "Searched by words and their beginnings, not by meaning: in name, task, summary, sensors and motions. "
    "Where no skill has all of them, these have some. Those whose names have them come first."
)

FITTING = later(
    "Skills whose stable version {robot} can run, by what it has said of itself. Success is that on {arm}."
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve a page of the catalogue."""
    asked = dict(request.query_params)
    read = partial(read_skills, reading_of(request), asked)
    return await live(request, read, partial(_build, hub_address(request), asked))


def _build(
    address: str, asked: Asked, viewer: Viewer, first: SkillsPage
) -> Callable[[SkillsPage, datetime], None]:
    fields: tuple[Search | Choice, ...] = (*FIELDS, *_of_robots(first))
    with frame(_("Skills"), viewer):
        text("h1", _("Skills"))
        text(
            "p",
            _(
                "What robots have learned together. Best first means by what is certain: the lower end of "
                "the interval of the stable version's success."
            ),
            "lead",
        )
        filters("/skills", asked, *fields)
        if asked.get("text"):
            text("p", _(BY_WORDS), "note")
        if first.robot is not None:
            text("p", _(FITTING, robot=first.robot.name, arm=first.arm), "note")
        with block("section", "card") as listed:
            row = partial(SkillRow, first.arm)
            rows = Entries[SkillView](table(_("Skills"), COLUMNS), lambda skill: skill.name, row)
            pager = Pager("/skills", asked)
        nothing = text("p", _("No skill is like that."), "blank")
        beginning = empty(
            _("Publish a first skill"),
            _("Robots need something to start from: an untrained network that fits the task."),
            "zunft skill new weld-seam -o weld-seam.skill",
            f"zunft skill publish weld-seam.skill --hub {address} --token TOKEN",
        )
        if viewer is not None and viewer.may_act_as("researcher", "publish"):
            with section(_("Publish from here"), "section card"):
                text("p", _("A skill's file, such as zunft skill new makes."), "note")
                upload(f"{API}/skills", _("File"), _("Publish"), goal="/skills/{skill}")
    is_filtered = any(asked.get(field.name) for field in fields)

    def show(found: SkillsPage, now: datetime) -> None:
        skills = found.skills
        listed.set_visibility(bool(skills.items))
        nothing.set_visibility(not skills.items and is_filtered)
        beginning.set_visibility(not skills.items and not is_filtered)
        rows.show(skills.items, now)
        pager.show(skills.next)

    return show


def _of_robots(first: SkillsPage) -> tuple[Choice, ...]:
    """The filter by one's robots, for who has any."""
    shown = {each.robot_id: each for each in (*first.robots, *((first.robot,) if first.robot else ()))}
    named = sorted(shown.values(), key=lambda each: each.name)
    names = {each.robot_id: f"{each.name} ({each.embodiment})" for each in named}
    return (Choice(later("Fits robot"), "robot", names),) if names else ()


class SkillRow:
    """A skill on one line; its success on an arm, or over all."""

    def __init__(self, arm: str) -> None:
        self._arm = arm
        with block("tr") as self.element:
            with cell(_("Skill"), "head"), block("div", "pictured"):
                self._picture = TaskPicture()
                with block("div"):
                    self._name = link("", "/", "name")
                    self._summary = text("span", "", "note below")
            self._task, self._stable = number_cell(_("Task")), number_cell(_("Stable"))
            with cell(_("Success")):
                self._success = Success()
            self._robots, self._updated = (
                number_cell(_("Robots"), "minor"),
                time_cell(_("Updated"), "minor"),
            )

    def show(self, skill: SkillView, now: datetime) -> None:
        """The skill as it is now."""
        stable = skill.stable
        self._picture.show(skill.task)
        self._name.text, self._summary.text, self._task.text = skill.name, skill.summary, skill.task
        described(self._name, href=f"/skills/{skill.name}")
        self._stable.text = f"v{stable.version}" if stable else _("none yet")
        self._success.show(_score(stable, self._arm) if stable else None)
        self._robots.text = count(stable.contributors) if stable else "0"
        self._updated.show(skill.updated_at, now)


def _score(stable: VersionView, arm: str) -> ScoreView | None:
    if not arm:
        return stable.score
    return stable.gate.by_embodiment.get(arm) if stable.gate else None
