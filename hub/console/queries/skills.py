"""What the page of all skills shows: those that one asked for, a page at a time."""

from __future__ import annotations

from hub.access.principal import Viewer
from hub.console.queries.asking import ROWS, Asked, query_of
from hub.console.reading import must_see
from hub.services import Services
from skills.messages.lists import Page, SkillQuery
from skills.messages.skills import SkillView

__all__ = ["read_skills"]


def read_skills(hub: Services, asked: Asked, viewer: Viewer) -> Page[SkillView]:
    """A page of the catalogue, best first unless another order is asked for; raises UnauthorizedError."""
    must_see(hub, viewer)
    query = query_of(SkillQuery, {"sort": "score", **asked}, rows=ROWS)
    return hub.catalogue.skills.skills(viewer, query)
