"""`/tasks/{name}`: what a task asks for, what the checker found, and how to get it.

Everything that a publisher wrote is shown as text and never as HTML, the README too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.elements import (
    Badge,
    Command,
    Entries,
    FigureRow,
    block,
    cell,
    described,
    link,
    number_cell,
    section,
    table,
    text,
)
from hub.console.frame import frame, hub_address, live, reading_of
from hub.console.reading import TaskPage, read_task
from hub.console.words import ago, amount, finding_in_words, short_digest
from skills.manifest import Channel
from skills.messages.tasks import FindingView, TaskFacts, TaskVersionView

__all__ = ["page"]

CONTRACT = ("Channel", "Kind", "Size", "Unit", "Scale")


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve one task."""
    build = partial(_build, hub_address(request))
    return await live(request, partial(read_task, reading_of(request), name), build)


def _build(address: str, viewer: Viewer, first: TaskPage) -> Callable[[TaskPage, datetime], None]:
    name = first.task.name
    with frame(name, viewer):
        with described(block("nav", "crumbs"), aria_label="Breadcrumb"):
            link("Tasks", "/tasks")
        text("h1", name)
        title, summary = text("p", "", "lead"), text("p", "")
        figures = FigureRow(("Version", "Licence", "Organisation", "Robots"))
        with section("What the checker found", "section card"):
            body = table("Findings", ("Check", "Result", "Finding"))
            findings = Entries[FindingView](body, lambda each: each.check, FindingLine)
        with section("Contract", "section card"):
            body = table("What a robot senses and does", CONTRACT)
            contract = Entries[tuple[str, Channel]](body, lambda each: (each[0], each[1].name), ChannelLine)
        with section("Get it", "section card"):
            Command(f"zunft task fetch {name} --hub {address}")
            link("Leaderboard of its skills", f"/tasks/{name}/leaderboard")
        with section("README", "section card") as about:
            readme = described(text("pre", ""), style="white-space: pre-wrap")
        with section("Versions", "section card"):
            columns = ("Version", "State", "Size", "Digest", "Published")
            versions = Entries[TaskVersionView](
                table(f"Versions of {name}", columns), lambda each: each.version, VersionLine
            )

    def show(found: TaskPage, now: datetime) -> None:
        newest = found.versions[0]
        title.text, summary.text, readme.text = newest.title, newest.summary, newest.readme
        about.set_visibility(bool(newest.readme))
        figures.show("Version", f"v{newest.version}", newest.state)
        figures.show("Licence", newest.licence)
        figures.show("Organisation", found.task.organisation, found.task.visibility)
        figures.show("Robots", ", ".join(newest.facts.embodiments) if newest.facts else "not known yet")
        findings.show(newest.findings, now)
        contract.show(_channels(newest.facts), now)
        versions.show(found.versions, now)

    return show


def _channels(facts: TaskFacts | None) -> list[tuple[str, Channel]]:
    if facts is None:
        return []
    sensed = [("observation", each) for each in facts.contract.observation]
    return sensed + [("action", each) for each in facts.contract.action]


class FindingLine:
    """What one check found."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Check", "head"):
                self._check = text("span", "", "name")
            self._result = number_cell("Result")
            with cell("Finding"):
                self._text, self._remedy = text("span"), text("span", "", "note")

    def show(self, finding: FindingView, _now: datetime) -> None:
        """The finding as it is now."""
        self._check.text, self._result.text = finding.check, finding_in_words(finding)
        self._text.text, self._remedy.text = finding.text, finding.remedy


class ChannelLine:
    """One channel of the contract."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Channel", "head"):
                self._name = text("span", "", "name")
            self._cells = [number_cell(label) for label in CONTRACT[1:]]

    def show(self, entry: tuple[str, Channel], _now: datetime) -> None:
        """The channel."""
        kind, channel = entry
        self._name.text = channel.name
        shown = (kind, str(channel.size), channel.unit, f"{channel.scale:g}")
        for place, content in zip(self._cells, shown, strict=True):
            place.text = content


class VersionLine:
    """A version on one line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell("Version", "head"):
                self._name = text("span", "", "name number")
            with cell("State"):
                self._state = Badge()
            self._size, self._digest = number_cell("Size"), number_cell("Digest")
            self._made = number_cell("Published")

    def show(self, version: TaskVersionView, now: datetime) -> None:
        """The version as it is now."""
        self._name.text = f"v{version.version}"
        self._state.show(version.state)
        self._size.text, self._made.text = amount(version.size), ago(version.created_at, now)
        self._digest.text = short_digest(version.digest)
        described(self._digest, title=version.digest)
