"""`/tasks`: the tasks that were published here, and what became of their check."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from fastapi import Request
from fastapi.responses import RedirectResponse

from hub.access.principal import Viewer
from hub.console.acting import upload
from hub.console.elements import (
    Badge,
    Entries,
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
from hub.console.language import _, later
from hub.console.live import live
from hub.console.reading import read_tasks
from hub.console.words import plural
from skills.messages.base import API
from skills.messages.tasks import TaskView

__all__ = ["page"]

COLUMNS = (
    later("Task"),
    later("State"),
    later("Version"),
    later("Licence"),
    later("Organisation"),
    later("Updated"),
)


async def page(request: Request) -> RedirectResponse | None:
    """Serve the list of tasks."""
    build = partial(_build, hub_address(request))
    return await live(request, partial(read_tasks, reading_of(request)), build)


def _build(
    address: str, viewer: Viewer, _first: tuple[TaskView, ...]
) -> Callable[[tuple[TaskView, ...], datetime], None]:
    with frame(_("Tasks"), viewer):
        text("h1", _("Tasks"))
        lead = text("p", "", "lead")
        with block("section", "section card") as listed:
            rows = Entries[TaskView](table(_("Tasks of this hub"), COLUMNS), lambda each: each.name, TaskLine)
        nothing = empty(
            _("Publish a task"),
            _("A task is a folder of data. The hub checks it before it lists it."),
            "zunft task new stack-bricks",
            f"zunft task publish ./stack-bricks --hub {address} --token TOKEN",
        )
        if viewer is not None and viewer.may_act_as("researcher", "publish"):
            with section(_("Publish from here"), "section card"):
                text("p", _("The archive of a bundle, as zunft task pack makes it."), "note")
                upload(f"{API}/tasks", _("Archive"), _("Publish"), goal="/tasks/{task}")

    def show(found: tuple[TaskView, ...], now: datetime) -> None:
        lead.text = _(
            "{tasks} that fleets can practise, each checked by this hub.", tasks=plural(len(found), "task")
        )
        listed.set_visibility(bool(found))
        nothing.set_visibility(not found)
        rows.show(found, now)

    return show


class TaskLine:
    """A task on one line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Task"), "head"):
                self._name = link("", "/", "name")
                self._title = text("span", "", "note")
            with cell(_("State")):
                self._state = Badge()
            self._version, self._licence = number_cell(_("Version")), number_cell(_("Licence"))
            self._owner, self._updated = number_cell(_("Organisation")), time_cell(_("Updated"))

    def show(self, task: TaskView, now: datetime) -> None:
        """The task as it is now."""
        self._name.text, self._title.text = task.name, task.title
        described(self._name, href=f"/tasks/{task.name}")
        self._state.show(task.state)
        self._version.text, self._licence.text = f"v{task.versions[-1]}", task.licence
        self._owner.text = task.organisation
        self._updated.show(task.updated_at, now)
