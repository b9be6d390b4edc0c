"""What each page of the console shows, read from the hub's services in one go; no web framework."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hub.access.principal import Viewer
from hub.access.visibility import may_change
from hub.services import Services
from skills.errors import UnauthorizedError
from skills.fits import RobotFit
from skills.messages.campaigns import CampaignPlan, CampaignView
from skills.messages.leaderboards import Leaderboard
from skills.messages.lists import (
    LARGEST_PAGE,
    AtWorkQuery,
    BoardQuery,
    CampaignQuery,
    RobotQuery,
    TaskQuery,
    TaskVersionQuery,
    VersionQuery,
)
from skills.messages.reports import Adoption
from skills.messages.rounds import RobotAtWork
from skills.messages.skills import ReleaseView, SkillView, VersionView
from skills.messages.tasks import TaskVersionView, TaskView

__all__ = [
    "SCOPE_KEY",
    "SNAPSHOTS_KEY",
    "CampaignPage",
    "SkillPage",
    "SkillReader",
    "TaskPage",
    "may_operate",
    "must_see",
    "read_campaign",
    "read_leaderboard",
    "read_task",
    "read_tasks",
]


SHOWN_VERSIONS = 20  # of a task
HISTORY = 100  # versions of a skill
AT_WORK = 100  # robots of a campaign's newest round
SCOPE_KEY = "zunft.console.reading"
"""Where a request carries the services of the hub that it came to: several hubs may share a process."""
SNAPSHOTS_KEY = "zunft.console.snapshots"
"""Where it carries what pages share of their looks; see `hub.console.live`."""


@dataclass(frozen=True)
class SkillPage:
    """Everything on `/skills/{name}`; versions newest first.

    Attributes:
        fits: The viewer's robots, held to the stable version, or without one to the newest.
        release: The newest one, if there was any.
        advice: What the task advises whoever may order a campaign now.
        adoption: What the viewer's robots say they use, by version.
    """

    skill: SkillView
    versions: tuple[VersionView, ...]
    campaigns: tuple[CampaignView, ...]
    fits: tuple[RobotFit, ...]
    release: ReleaseView | None
    advice: CampaignPlan
    adoption: tuple[Adoption, ...]

    @property
    def to_run(self) -> int:
        """The number of the version that robots would run; 0 where there is none."""
        return (
            self.skill.stable.version
            if self.skill.stable
            else max((v.version for v in self.versions), default=0)
        )


@dataclass(frozen=True)
class CampaignPage:
    """Everything on `/campaigns/{id}`.

    Attributes:
        owner: The skill's organisation.
        robots: Of the newest round or the one asked for: those that the viewer tells apart, some at least.
    """

    campaign: CampaignView
    owner: str
    robots: tuple[RobotAtWork, ...]


@dataclass(frozen=True)
class TaskPage:
    """Everything on `/tasks/{name}`; versions newest first."""

    task: TaskView
    versions: tuple[TaskVersionView, ...]


def read_tasks(hub: Services, viewer: Viewer) -> tuple[TaskView, ...]:
    """Tasks by name; raises UnauthorizedError."""
    must_see(hub, viewer)
    return hub.tasks.registry.tasks(viewer, TaskQuery(limit=LARGEST_PAGE)).items


def read_task(hub: Services, name: str, viewer: Viewer) -> TaskPage:
    """One task with its newest versions; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    task = hub.tasks.registry.task(name, viewer)
    return TaskPage(
        task, hub.tasks.registry.versions(name, viewer, TaskVersionQuery(limit=SHOWN_VERSIONS)).items
    )


class SkillReader:
    """Reads one skill's page again and again.

    Robots are asked about once for each version: what they serve hardly changes, and there may be thousands.
    """

    def __init__(self, hub: Services, name: str) -> None:
        self._hub, self._name = hub, name
        self._fits: tuple[object, tuple[RobotFit, ...]] = (None, ())

    def __call__(self, viewer: Viewer) -> SkillPage:
        """The skill with its history; raises NotFoundError, UnauthorizedError."""
        hub, name = self._hub, self._name
        must_see(hub, viewer)
        versions = hub.catalogue.skills.versions(
            name, viewer, VersionQuery(sort="newest", limit=HISTORY)
        ).items
        campaigns = hub.rounds.campaigns.campaigns(viewer, CampaignQuery(skill=name)).items
        newest = next(iter(hub.catalogue.releases.releases(name, viewer)), None)
        skill = hub.catalogue.skills.skill(name, viewer)
        page = SkillPage(
            skill, versions, campaigns, (), newest, self._advice(skill, viewer), self._adoption(viewer)
        )
        return replace(page, fits=self._ask(page.to_run, viewer))

    def _advice(self, skill: SkillView, viewer: Viewer) -> CampaignPlan:
        if viewer is None or skill.candidate is None or not may_operate(viewer, skill.organisation):
            return CampaignPlan()
        return self._hub.rounds.campaigns.advice(skill.name, by=viewer)

    def _adoption(self, viewer: Viewer) -> tuple[Adoption, ...]:
        sees_robots = viewer is not None and viewer.may_act_as("operator", "read")
        return self._hub.rollouts.fleet.adoption(self._name, viewer) if sees_robots else ()

    def _ask(self, version: int, viewer: Viewer) -> tuple[RobotFit, ...]:
        if not version or viewer is None or not viewer.may_act_as("operator", "read"):
            return ()
        if self._fits[0] != (version, viewer):
            query = RobotQuery(limit=LARGEST_PAGE)
            found = self._hub.robots.fits.fits(self._name, str(version), viewer, query)
            self._fits = ((version, viewer), found.items)
        return self._fits[1]


def read_campaign(hub: Services, campaign_id: str, number: int | None, viewer: Viewer) -> CampaignPage:
    """One campaign; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    campaign = hub.rounds.campaigns.campaign(campaign_id, viewer)
    owner = hub.catalogue.skills.skill(campaign.order.skill, viewer).organisation
    robots: tuple[RobotAtWork, ...] = ()
    if viewer is not None and viewer.may_act_as("operator", "read"):
        robots = hub.rounds.campaigns.robots(
            campaign_id, viewer, AtWorkQuery(round=number, limit=AT_WORK)
        ).items
    return CampaignPage(campaign, owner, robots)


def read_leaderboard(hub: Services, task: str, address: str, viewer: Viewer) -> Leaderboard:
    """Scores of a task's skills; raises NotFoundError, UnauthorizedError."""
    must_see(hub, viewer)
    return hub.leaderboards.boards.board(task, viewer, BoardQuery(limit=LARGEST_PAGE), hub=address)


def may_operate(viewer: Viewer, owner: str) -> bool:
    """Whether the hub lets whoever looks act on an organisation's skill, so that buttons make sense."""
    return viewer is not None and viewer.may_act_as("operator", "operate") and may_change(viewer, owner)


def must_see(hub: Services, viewer: Viewer) -> None:
    """Whether whoever looks may see the catalogue; raises UnauthorizedError."""
    if viewer is None and not hub.settings.public_catalogue:
        raise UnauthorizedError("this hub shows its skills to those it knows.", remedy="Sign in.")
