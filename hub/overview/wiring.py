"""How the hub is seen at a glance."""

from __future__ import annotations

from dataclasses import dataclass

from hub.catalogue.wiring import CatalogueWing
from hub.events.wiring import EventsWing
from hub.organisations.wiring import OrganisationsWing
from hub.overview.needs import Needs
from hub.overview.overview import Overviews
from hub.robots.wiring import RobotsWing
from hub.rollouts.wiring import RolloutsWing
from hub.rounds.wiring import RoundsWing

__all__ = ["OverviewWing", "wire"]


@dataclass(frozen=True)
class OverviewWing:
    """All that there is to see."""

    overviews: Overviews


def wire(
    events: EventsWing,
    organisations: OrganisationsWing,
    catalogue: CatalogueWing,
    robots: RobotsWing,
    rounds: RoundsWing,
    rollouts: RolloutsWing,
) -> OverviewWing:
    """It only reads what other wings show."""
    needs = Needs(events.log, catalogue.skills, organisations.registry)
    return OverviewWing(
        Overviews(catalogue.skills, rounds.campaigns, robots.roster, rollouts.orders, events.log, needs)
    )
