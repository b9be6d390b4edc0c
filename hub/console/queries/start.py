"""What the first page shows: the hub at a glance, and on an empty one what can be begun from here."""

from __future__ import annotations

from dataclasses import dataclass

from envs.bundle import bundle_names
from hub.access.principal import Viewer
from hub.console.reading import must_see
from hub.services import Services
from skills.messages.lists import SkillQuery
from skills.messages.overview import Overview

__all__ = ["StartPage", "read_start"]


@dataclass(frozen=True)
class StartPage:
    """Everything on `/`.

    Attributes:
        overview: The hub at a glance.
        tasks: That come with the package: a skill for one of them begins with a click.
        first: The name of a skill with which a campaign can start; empty where there is none.
    """

    overview: Overview
    tasks: tuple[str, ...]
    first: str


def read_start(hub: Services, viewer: Viewer) -> StartPage:
    """The hub at a glance; raises UnauthorizedError."""
    must_see(hub, viewer)
    overview = hub.overview.overviews.overview(viewer)
    newest = hub.catalogue.skills.skills(viewer, SkillQuery(limit=1, sort="updated", channel="candidate"))
    return StartPage(overview, bundle_names(), newest.items[0].name if newest.items else "")
