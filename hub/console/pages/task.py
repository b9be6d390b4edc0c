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
    time_cell,
)
from hub.console.frame import frame, hub_address, reading_of
from hub.console.language import _, later
from hub.console.live import live
from hub.console.reading import TaskPage, read_task
from hub.console.words import amount, figure, finding_in_words, short_digest, state_in_words
from skills.manifest import Channel
from skills.messages.tasks import FindingView, TaskFacts, TaskVersionView

__all__ = ["page"]

CONTRACT = (later("Channel"), later("Kind"), later("Size"), later("Unit"), later("Scale"))


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve one task."""
    build = partial(_build, hub_address(request))
    return await live(request, partial(read_task, reading_of(request), name), build)


def _build(address: str, viewer: Viewer, first: TaskPage) -> Callable[[TaskPage, datetime], None]:
    name = first.task.name
    with frame(name, viewer):
        with described(block("nav", "crumbs"), aria_label=_("Breadcrumb")):
            link(_("Tasks"), "/tasks")
        text("h1", name)
        title, summary = text("p", "", "lead"), text("p", "")
        figures = FigureRow((later("Version"), later("Licence"), later("Organisation"), later("Robots")))
        with section(_("What the checker found"), "section card"):
            body = table(_("Findings"), (_("Check"), _("Result"), _("Finding")))
            findings = Entries[FindingView](body, lambda each: each.check, FindingLine)
        with section(_("Contract"), "section card"):
            body = table(_("What a robot senses and does"), CONTRACT)
            contract = Entries[tuple[str, Channel]](body, lambda each: (each[0], each[1].name), ChannelLine)
        with section(_("Get it"), "section card"):
            Command(f"zunft task fetch {name} --hub {address}")
            link(_("Leaderboard of its skills"), f"/tasks/{name}/leaderboard")
        with section(_("README"), "section card") as about:
            readme = described(text("pre", ""), style="white-space: pre-wrap")
        with section(_("Versions"), "section card"):
            columns = (_("Version"), _("State"), _("Size"), _("Digest"), _("Published"))
            versions = Entries[TaskVersionView](
                table(_("Versions of {name}", name=name), columns), lambda each: each.version, VersionLine
            )

    def show(found: TaskPage, now: datetime) -> None:
        newest = found.versions[0]
        title.text, summary.text, readme.text = newest.title, newest.summary, newest.readme
        about.set_visibility(bool(newest.readme))
        figures.show("Version", f"v{newest.version}", state_in_words(newest.state))
        figures.show("Licence", newest.licence)
        figures.show("Organisation", found.task.organisation, state_in_words(found.task.visibility))
        figures.show("Robots", ", ".join(newest.facts.embodiments) if newest.facts else _("not known yet"))
        findings.show(newest.findings, now)
        contract.show(_channels(newest.facts), now)
        versions.show(found.versions, now)

    return show


def _channels(facts: TaskFacts | None) -> list[tuple[str, Channel]]:
    if facts is None:
        return []
    sensed = [(_("observation"), each) for each in facts.contract.observation]
    return sensed + [(_("action"), each) for each in facts.contract.action]


class FindingLine:
    """What one check found."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Check"), "head"):
                self._check = text("span", "", "name")
            self._result = number_cell(_("Result"))
            with cell(_("Finding")):
                self._text, self._remedy = text("span"), text("span", "", "note")

    def show(self, finding: FindingView, _now: datetime) -> None:
        """The finding as it is now."""
        self._check.text, self._result.text = finding.check, finding_in_words(finding)
        self._text.text, self._remedy.text = finding.text, finding.remedy


class ChannelLine:
    """One channel of the contract."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Channel"), "head"):
                self._name = text("span", "", "name")
            self._cells = [number_cell(_(label)) for label in CONTRACT[1:]]

    def show(self, entry: tuple[str, Channel], _now: datetime) -> None:
        """The channel."""
        kind, channel = entry
        self._name.text = channel.name
        shown = (kind, str(channel.size), channel.unit, figure(channel.scale))
        for place, content in zip(self._cells, shown, strict=True):
            place.text = content


class VersionLine:
    """A version on one line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Version"), "head"):
                self._name = text("span", "", "name number")
            with cell(_("State")):
                self._state = Badge()
            self._size, self._digest = number_cell(_("Size")), number_cell(_("Digest"))
            self._made = time_cell(_("Published"))

    def show(self, version: TaskVersionView, now: datetime) -> None:
        """The version as it is now."""
        self._name.text = f"v{version.version}"
        self._state.show(version.state)
        self._size.text = amount(version.size)
        self._made.show(version.created_at, now)
        self._digest.text = short_digest(version.digest)
        described(self._digest, title=version.digest)
