"""What the page of all skills shows: those that one asked for, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.queries.asking import ROWS, Asked, query_of
from hub.console.reading import must_see
from hub.services import Services
from skills.messages.lists import Page, RobotQuery, SkillQuery
from skills.messages.robots import RobotView
from skills.messages.skills import SkillView

__all__ = ["SkillsPage", "read_skills"]

MOST_ROBOTS = 100
"""Among which one chooses; whoever has more comes from a robot's own page."""


@dataclass(frozen=True)
class SkillsPage:
    """Everything on `/skills`.

    Attributes:
        robots: Of the viewer, for which skills could be asked; nothing for who sees none.
        robot: For which skills were asked.
        arm: On which success is shown; empty: over all.
    """

    skills: Page[SkillView]
    robots: tuple[RobotView, ...]
    robot: RobotView | None
    arm: str


def read_skills(hub: Services, asked: Asked, viewer: Viewer) -> SkillsPage:
    """A page of the catalogue, best first unless another order is asked for.

    Raises:
        NotFoundError, RequestError, UnauthorizedError: See `Catalogue.skills`.
    """
    must_see(hub, viewer)
    query = query_of(SkillQuery, {"sort": "score", **asked}, rows=ROWS)
    robots: tuple[RobotView, ...] = ()
    if viewer is not None and viewer.may_act_as("operator", "read"):
        robots = hub.robots.roster.robots(viewer, RobotQuery(limit=MOST_ROBOTS)).items
    robot = hub.robots.roster.robot(query.robot, viewer) if query.robot else None
    arm = query.embodiment or (robot.embodiment if robot else "")
    return SkillsPage(hub.catalogue.skills.skills(viewer, query), robots, robot, arm)
