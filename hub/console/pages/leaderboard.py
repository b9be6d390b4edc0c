"""`/tasks/{name}/leaderboard`: what the skills of a task scored, robot by robot, and how to repeat it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.charts import embodiment_chart
from hub.console.elements import (
    Chart,
    Command,
    Entries,
    FigureRow,
    Success,
    block,
    cell,
    described,
    link,
    number_cell,
    pairs,
    section,
    table,
    text,
    time_cell,
)
from hub.console.frame import frame, hub_address, reading_of
from hub.console.language import _, later
from hub.console.live import live
from hub.console.reading import read_leaderboard
from hub.console.words import count, figure, plural, score_in_words
from skills.messages.base import API
from skills.messages.leaderboards import BoardEntry, ControllerKind, ControllerScore, Leaderboard, Unscored
from skills.messages.skills import ScoreView

__all__ = ["page"]

COLUMNS = (
    later("Skill"),
    later("Success, 95 % interval"),
    later("Mean return"),
    later("Organisation"),
    later("Episodes"),
    later("Scored"),
    later("Replay"),
)
BY_HAND = (later("Controller"), later("Success, 95 % interval"), later("It"))
KINDS: dict[ControllerKind, str] = {
    "fixed": later("acts on what it observes now"),
    "adaptive": later("remembers"),
    "told": later("is told what no robot knows"),
}
BEST = 12
"""Skills in a chart; all are in the table."""

Arm = tuple[str, dict[str, ScoreView]]
"""A robot, and what the best skills score on it."""


async def page(request: Request, name: str) -> RedirectResponse | None:
    """Serve one task's board."""
    read = partial(read_leaderboard, reading_of(request), name, hub_address(request))
    return await live(request, read, partial(_build, hub_address(request)))


def _build(address: str, viewer: Viewer, first: Leaderboard) -> Callable[[Leaderboard, datetime], None]:
    task, plan = first.task, first.plan
    with frame(_("Leaderboard of {task}", task=task), viewer):
        with described(block("nav", "crumbs"), aria_label=_("Breadcrumb")):
            link(_("Tasks"), "/tasks")
            text("span", f" / {task}")
        text("h1", _("Leaderboard of {task}", task=task))
        text(
            "p", _("Measured by this hub, each skill in the same workshops that no robot trained in."), "lead"
        )
        figures = FigureRow((later("Skills"), later("Robots"), later("Episodes")))
        with section(_("Scores"), "section card"):
            nothing = text("p", _("No skill of this task has been scored yet."), "blank")
            with block("div") as scores:
                body = table(_("Scores of skills at {task}, best first", task=task), COLUMNS)
                entries = Entries[BoardEntry](body, _entry_key, partial(EntryRow, task))
        with block("div", "section") as waiting:
            lines = Entries[Unscored](waiting, _unscored_key, UnscoredLine)
        with section(_("Written by hand"), "section card") as by_hand:
            text("p", _("What the task's own controllers do on the same jobs."), "note")
            body = table(_("Scores of controllers at {task}, best first", task=task), BY_HAND)
            controllers = Entries[ControllerScore](body, _controller_key, ControllerLine)
        with section(_("Robot by robot")):
            cards = Entries[Arm](block("div", "cards"), _arm_key, ArmCard)
        with section(_("Repeat a score"), "section card"):
            text("p", _("Measures on your machine, and says whether the digits are the same."), "note")
            Command(f"zunft task score NAME@stable --hub {address}")
            text("p", _("The same table in a terminal."), "note step")
            Command(f"zunft task leaderboard {task} --hub {address}")
            with block("details", "step"):
                text("summary", _("Seeds, all drawn from {seed}", seed=plan.seed))
                pairs(_seeds(first))

    def show(board: Leaderboard, now: datetime) -> None:
        arms = _arms(board)
        figures.show("Skills", count(len(board.entries)))
        figures.show("Robots", count(len(arms)))
        figures.show("Episodes", count(plan.episodes), _("on each robot"))
        nothing.set_visibility(not board.entries)
        scores.set_visibility(bool(board.entries))
        entries.show(board.entries, now)
        lines.show(board.unscored, now)
        by_hand.set_visibility(bool(board.controllers))
        controllers.show(board.controllers, now)
        cards.show(arms, now)

    return show


class EntryRow:
    """One scored version on a line."""

    def __init__(self, task: str) -> None:
        self._task = task
        with block("tr") as self.element:
            with cell(_("Skill"), "head"):
                with block("span", "line"):
                    self._name, self._version = link("", "/", "name"), text("span", "", "number note")
                self._confirmed = text("span", "", "note")
            with cell(_("Success")):
                self._success = Success()
            self._return, self._owner = number_cell(_("Mean return")), number_cell(_("Organisation"))
            self._episodes, self._scored = number_cell(_("Episodes"), "minor"), time_cell(_("Scored"))
            with cell(_("Replay")):
                self._replay = link(_("Download"), "/")

    def show(self, entry: BoardEntry, now: datetime) -> None:
        """The score as it is now."""
        score = entry.score
        self._name.text, self._version.text = entry.skill, f"v{entry.version}"
        described(self._name, href=f"/skills/{quote(entry.skill)}")
        self._success.show(score)
        self._confirmed.text = entry.confirmed_in_words()
        self._return.text = "" if score.mean_return is None else figure(score.mean_return, "#,##0.00")
        self._owner.text, self._episodes.text = entry.organisation, count(score.episodes)
        self._scored.show(entry.scored_at, now)
        described(self._success.element, title=entry.made_with)
        path = f"{API}/tasks/{quote(self._task)}/leaderboard/{quote(entry.skill)}/replay"
        described(
            self._replay,
            href=f"{path}?version={entry.version}",
            download=f"{entry.skill}-v{entry.version}.replay",
        )
        self._replay.set_visibility(entry.replay_size > 0)


class ControllerLine:
    """A controller of the task on a line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Controller"), "head"):
                self._name = text("span", "", "name")
            with cell(_("Success")):
                self._success = Success()
            with cell(_("It")):
                self._kind = text("span", "", "note")

    def show(self, each: ControllerScore, now: datetime) -> None:  # noqa: ARG002 - an entry is shown at a time
        """The score as it is now."""
        self._name.text, self._kind.text = each.name, _(KINDS[each.kind])
        self._success.show(each.score)


class UnscoredLine:
    """A stable version without a score, and why."""

    def __init__(self) -> None:
        with block("p", "note") as self.element:
            self._said = text("span")

    def show(self, each: Unscored, now: datetime) -> None:  # noqa: ARG002 - an entry is shown at a time
        """As it is now."""
        why = (
            _("cannot be measured: {reason}", reason=each.reason)
            if each.state == "failed"
            else _("waits to be measured.")
        )
        self._said.text = f"{each.skill} v{each.version} {why}"


class ArmCard:
    """What the skills score on one robot."""

    def __init__(self) -> None:
        with block("section", "card") as self.element:
            self._title = text("h3")
            self._chart = Chart(_("No score."))

    def show(self, arm: Arm, now: datetime) -> None:  # noqa: ARG002 - an entry is shown at a time
        """The scores as they are now."""
        name, scores = arm
        self._title.text = name
        said = "; ".join(f"{skill}: {score_in_words(score)}" for skill, score in scores.items())
        self._chart.show(embodiment_chart(scores), f"{name}: {said}")


def _arms(board: Leaderboard) -> list[Arm]:
    names = dict.fromkeys(robot for entry in board.entries for robot in entry.by_embodiment)
    best = board.entries[:BEST]
    return [
        (robot, {each.skill: each.by_embodiment[robot] for each in best if robot in each.by_embodiment})
        for robot in names
    ]


def _seeds(board: Leaderboard) -> dict[str, str]:
    rows = {
        _("Workshop {number}", number=draw.workshop): _(
            "jobs {jobs}, {episodes} on each robot", jobs=draw.jobs, episodes=plural(draw.episodes, "episode")
        )
        for draw in board.seeds
    }
    return {**rows, _("Task"): board.task_digest or _("not known here")}


def _entry_key(entry: BoardEntry) -> str:
    return entry.skill


def _controller_key(each: ControllerScore) -> str:
    return each.name


def _unscored_key(each: Unscored) -> str:
    return each.skill


def _arm_key(arm: Arm) -> str:
    return arm[0]
