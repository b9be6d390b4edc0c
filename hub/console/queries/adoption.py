"""What the page of a skill's robots shows."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.console.queries.asking import Asked, query_of
from hub.console.queries.robots import operator_of
from hub.services import Services
from skills.messages.lists import FleetQuery, Page
from skills.messages.reports import Adoption, FleetRobot

__all__ = ["AdoptionPage", "read_adoption"]


@dataclass(frozen=True)
class AdoptionPage:
    """Everything on `/skills/{name}/robots`; robots in the order in which they joined."""

    robots: Page[FleetRobot]
    adoption: tuple[Adoption, ...]


def read_adoption(hub: Services, name: str, asked: Asked, viewer: Viewer) -> AdoptionPage:
    """A page of a skill's robots; raises NotFoundError, UnauthorizedError, ForbiddenError, RequestError."""
    by, fleet = operator_of(viewer), hub.rollouts.fleet
    query = query_of(FleetQuery, {**asked, "skill": name})
    return AdoptionPage(fleet.robots(by, query), fleet.adoption(name, by))
