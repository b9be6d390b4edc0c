"""Which of the viewer's robots can run a skill, as a part of its page. Asked is `hub.robots.fits`."""

from __future__ import annotations

from datetime import datetime

from hub.console.elements import Entries, block, cell, section, table, text
from hub.console.language import _, later
from hub.console.words import count, plural
from skills.fits import RobotFit

__all__ = ["FitSection"]

COLUMNS = (later("Robot"), later("Embodiment"), later("Runs it"), later("Why not"))


class FitSection:
    """A count, and a line for each robot; nothing for whoever sees no robots."""

    def __init__(self) -> None:
        with section(_("Robots that can run it"), "section card") as self._section:
            self._count = text("p", "", "note")
            body = table(_("Robots and whether they can run it"), COLUMNS)
            self._robots = Entries[RobotFit](body, lambda each: each.robot_id, FitRow)

    def show(self, found: tuple[RobotFit, ...], version: int, now: datetime) -> None:
        """These robots, held to this version."""
        self._section.set_visibility(bool(found))
        able = sum(each.fits == "yes" for each in found)
        self._count.text = _(
            "{able} of {robots} of yours can run v{version}, by what they have told of themselves. "
            "Load the page again to ask again.",
            able=count(able),
            robots=plural(len(found), "robot"),
            version=version,
        )
        self._robots.show(found, now)


class FitRow:
    """One robot on a line."""

    def __init__(self) -> None:
        with block("tr") as self.element:
            with cell(_("Robot"), "head"):
                self._name = text("span", "", "name")
            with cell(_("Embodiment")):
                self._embodiment = text("span")
            with cell(_("Runs it")):
                self._fits = text("span")
            with cell(_("Why not")):
                self._why = text("span")

    def show(self, robot: RobotFit, now: datetime) -> None:  # noqa: ARG002 - every entry is told the time
        """The robot as it is now."""
        self._name.text, self._embodiment.text = robot.name, robot.embodiment
        self._fits.text, self._why.text = robot.fits, "; ".join(robot.differences) or "-"
