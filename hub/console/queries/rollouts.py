"""What the pages of roll-outs show: all, one with its robots, and what one could begin with."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Principal, Viewer
from hub.console.language import _
from hub.console.queries.asking import Asked, query_of
from hub.console.reading import may_operate, must_see
from hub.services import Services
from skills.errors import NotFoundError, UnauthorizedError
from skills.messages.lists import FleetQuery, Page, RolloutQuery, SkillQuery
from skills.messages.reports import FleetRobot
from skills.messages.rollouts import RolloutCounts, RolloutView
from skills.messages.skills import SkillView, VersionView

__all__ = [
    "RolloutPage",
    "RolloutsPage",
    "StartPage",
    "read_beginning",
    "read_rollout",
    "read_rollouts",
]

NEWEST = 10
"""Skills of which one could begin with a candidate."""


@dataclass(frozen=True)
class RolloutsPage:
    """Everything on `/rollouts`; newest first. `next_up`: skills whose newest candidate is not stable yet."""

    rollouts: Page[RolloutView]
    counts: RolloutCounts
    next_up: tuple[SkillView, ...]


@dataclass(frozen=True)
class RolloutPage:
    """Everything on `/rollouts/{id}`.

    Attributes:
        owner: The skill's organisation.
        robots: Of the ring that is asked for, or of all; None for who sees no robots.
    """

    rollout: RolloutView
    owner: str
    robots: Page[FleetRobot] | None


@dataclass(frozen=True)
class StartPage:
    """Everything on `/skills/{name}/rollout`."""

    skill: SkillView
    version: VersionView


def read_rollouts(hub: Services, asked: Asked, viewer: Viewer) -> RolloutsPage:
    """A page of roll-outs; raises UnauthorizedError, RequestError."""
    if viewer is None:
        raise UnauthorizedError("roll-outs are shown to those who are known here.", remedy="Sign in.")
    orders = hub.rollouts.orders
    return RolloutsPage(
        orders.rollouts(viewer, query_of(RolloutQuery, asked)),
        orders.counts(viewer),
        _next_up(hub, viewer, asked),
    )


def _next_up(hub: Services, viewer: Principal, asked: Asked) -> tuple[SkillView, ...]:
    query = query_of(
        SkillQuery, {"channel": "candidate", "sort": "updated", "text": asked.get("skill", "")}, rows=NEWEST
    )
    return tuple(
        skill
        for skill in hub.catalogue.skills.skills(viewer, query).items
        if skill.stable
        and skill.candidate
        and skill.candidate.version > skill.stable.version
        and may_operate(viewer, skill.organisation)
    )


def read_rollout(hub: Services, rollout_id: str, asked: Asked, viewer: Viewer) -> RolloutPage:
    """One of them; raises NotFoundError, UnauthorizedError, RequestError."""
    if viewer is None:
        raise UnauthorizedError("roll-outs are shown to those who are known here.", remedy="Sign in.")
    found = hub.rollouts.orders.rollout(rollout_id, viewer)
    robots = None
    if viewer.may_act_as("operator", "read"):
        query = query_of(FleetQuery, {**asked, "skill": found.skill, "rollout": rollout_id})
        robots = hub.rollouts.fleet.robots(viewer, query)
    return RolloutPage(found, hub.catalogue.skills.skill(found.skill, viewer).organisation, robots)


def read_beginning(hub: Services, name: str, version: str, viewer: Viewer) -> StartPage:
    """A version that could be rolled out; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    if not version.isdecimal():
        raise NotFoundError(_("say which version."), where="version", remedy=_("Begin on the skill's page."))
    skills = hub.catalogue.skills
    return StartPage(skills.skill(name, viewer), skills.version(name, version, viewer))
