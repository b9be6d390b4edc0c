"""What goes on at the hub now, for whoever looks: campaigns, robots, events, and how far it has begun."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.catalogue.catalogue import Catalogue
from hub.events.log import EventLog
from hub.overview.needs import Needs
from hub.robots.roster import Roster
from hub.rollouts.orders import Rollouts
from hub.rounds.campaigns import Campaigns
from skills.messages.lists import CampaignQuery, EventQuery, SkillQuery
from skills.messages.overview import Begun, Need, Overview

__all__ = ["Overviews"]

CAMPAIGNS = 12
ROLLOUTS = 12
EVENTS = 12
QUIET = frozenset({"delta.admitted", "round.closing", "round.merging", "round.gating", "version.added"})
"""Kinds that come by the hundred; the rest says what became of them."""


@dataclass(frozen=True)
class Overviews:
    """Each call is a look at one moment."""

    catalogue: Catalogue
    campaigns: Campaigns
    roster: Roster
    rollouts: Rollouts
    log: EventLog
    needs: Needs

    def overview(self, viewer: Viewer) -> Overview:
        """What the viewer sees."""
        one = {"limit": 1}
        sees_robots = viewer is not None and viewer.may_act_as("operator", "read")
        counts = self.roster.counts(viewer) if sees_robots else None
        running = self.campaigns.campaigns(viewer, CampaignQuery(state="running", limit=CAMPAIGNS)).items
        newest = running or self.campaigns.campaigns(viewer, CampaignQuery(**one)).items
        rollouts = self.rollouts.under_way(viewer, ROLLOUTS)
        needs: tuple[Need, ...] = ()
        if viewer is not None and counts is not None:
            needs = self.needs.of(viewer, counts, rollouts)
        return Overview(
            campaigns=running,
            rollouts=rollouts,
            robots=counts,
            needs=needs,
            events=self.log.past(viewer, EventQuery(limit=EVENTS), without=QUIET).items,
            begun=Begun(
                skill=bool(self.catalogue.skills(viewer, SkillQuery(**one)).items),
                robots=counts is not None and counts.robots > 0,
                campaign=bool(newest),
            ),
        )
