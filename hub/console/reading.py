"""What the console reads: the seam between its pages and the hub's services.

The console never writes and never sees a token or a key: what it may show is what these calls return to
whoever looks, robots to their own operators alone. Who looks, `hub.console.frame` finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from hub.auth import Principal, Viewer
from hub.settings import Settings
from hub.visibility import may_change
from skills.errors import UnauthorizedError
from skills.fits import RobotFit
from skills.leaderboards import Leaderboard
from skills.lists import (
    LARGEST_PAGE,
    BoardQuery,
    CampaignQuery,
    Page,
    RobotQuery,
    SkillQuery,
    TaskQuery,
    TaskVersionQuery,
    VersionQuery,
)
from skills.messages import CampaignView, ReleaseView, SkillView, VersionView
from skills.tasks import TaskVersionView, TaskView

__all__ = [
    "SCOPE_KEY",
    "CampaignPage",
    "CataloguePage",
    "Reading",
    "SkillPage",
    "SkillReader",
    "TaskPage",
    "may_operate",
    "read_campaign",
    "read_catalogue",
    "read_leaderboard",
    "read_task",
    "read_tasks",
]


SHOWN_VERSIONS = 20  # of a task
HISTORY = 100  # versions of a skill
SCOPE_KEY = "zunft.console.reading"
"""Where a request carries the services of the hub that it came to: several hubs may share a process."""


class Catalogue(Protocol):
    """The part of `hub.catalogue.Catalogue` that is shown; each call may block on the database."""

    def skills(self, viewer: Viewer, query: SkillQuery) -> Page[SkillView]:
        """Skills that the viewer sees, in the order in which they are shown."""

    def skill(self, name: str, viewer: Viewer) -> SkillView:
        """One skill; raises NotFoundError."""

    def versions(self, name: str, viewer: Viewer, query: VersionQuery) -> Page[VersionView]:
        """Versions of a skill; raises NotFoundError."""


class Campaigns(Protocol):
    """The part of `hub.campaigns.Campaigns` that is shown."""

    def campaigns(self, viewer: Viewer, query: CampaignQuery) -> Page[CampaignView]:
        """Campaigns that the viewer sees, newest first."""

    def campaign(self, campaign_id: str, viewer: Viewer) -> CampaignView:
        """One campaign; raises NotFoundError."""


class Releases(Protocol):
    """The part of `hub.releases.Releases` that is shown."""

    def releases(self, name: str, viewer: Viewer) -> Sequence[ReleaseView]:
        """Of a skill, the newest first; raises NotFoundError."""


class Leaderboards(Protocol):
    """The part of `hub.leaderboards.boards.Leaderboards` that is shown."""

    def board(self, task: str, viewer: Viewer, query: BoardQuery, *, hub: str) -> Leaderboard:
        """The board of a task; raises NotFoundError."""


class Fits(Protocol):
    """The part of `hub.fits.Fits` that is shown."""

    def fits(self, name: str, ref: str, viewer: Viewer, query: RobotQuery) -> Page[RobotFit]:
        """Robots that the viewer sees, and whether they can run a version; raises NotFoundError."""


class Tasks(Protocol):
    """The part of `hub.tasks.registry.Tasks` that is shown."""

    def tasks(self, viewer: Viewer, query: TaskQuery) -> Page[TaskView]:
        """Tasks that the viewer sees."""

    def task(self, name: str, viewer: Viewer) -> TaskView:
        """One task; raises NotFoundError."""

    def versions(self, name: str, viewer: Viewer, query: TaskVersionQuery) -> Page[TaskVersionView]:
        """Versions of a task, newest first; raises NotFoundError."""


class Sessions(Protocol):
    """The part of `hub.sessions.Sessions` that is asked."""

    def principal(self, secret: str, *, in_use: bool = True) -> Principal:
        """Whose session this is; raises UnauthorizedError."""


class Issuer(Protocol):
    """The part of `hub.issuer.Issuer` that is shown."""

    @property
    def name(self) -> str:
        """Its address."""


class Reading(Protocol):
    """The hub's services as the console uses them."""

    @property
    def settings(self) -> Settings:
        """Whether the catalogue is public."""

    @property
    def catalogue(self) -> Catalogue:
        """Skills and versions."""

    @property
    def campaigns(self) -> Campaigns:
        """Campaigns and rounds."""

    @property
    def releases(self) -> Releases:
        """What became of releases."""

    @property
    def leaderboards(self) -> Leaderboards:
        """What skills scored."""

    @property
    def fits(self) -> Fits:
        """Which robots can run what."""

    @property
    def tasks(self) -> Tasks:
        """Published tasks."""

    @property
    def sessions(self) -> Sessions:
        """Who looks."""

    @property
    def issuer(self) -> Issuer | None:
        """Where people sign in."""


@dataclass(frozen=True)
class CataloguePage:
    """Everything on `/`; campaigns newest first, those that run before those that ended.

    Attributes:
        more: Whether the hub has more skills than these.
    """

    skills: tuple[SkillView, ...]
    campaigns: tuple[CampaignView, ...]
    more: bool


@dataclass(frozen=True)
class SkillPage:
    """Everything on `/skills/{name}`; versions newest first.

    Attributes:
        fits: The viewer's robots, held to the stable version, or without one to the newest.
        release: The newest one, if there was any.
    """

    skill: SkillView
    versions: tuple[VersionView, ...]
    campaigns: tuple[CampaignView, ...]
    fits: tuple[RobotFit, ...]
    release: ReleaseView | None

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
    """Everything on `/campaigns/{id}`; the owner is the skill's organisation."""

    campaign: CampaignView
    owner: str


@dataclass(frozen=True)
class TaskPage:
    """Everything on `/tasks/{name}`; versions newest first."""

    task: TaskView
    versions: tuple[TaskVersionView, ...]


def read_tasks(hub: Reading, viewer: Viewer) -> tuple[TaskView, ...]:
    """Tasks by name; raises UnauthorizedError."""
    _check(hub, viewer)
    return hub.tasks.tasks(viewer, TaskQuery(limit=LARGEST_PAGE)).items


def read_task(hub: Reading, name: str, viewer: Viewer) -> TaskPage:
    """One task with its newest versions; raises NotFoundError, UnauthorizedError."""
    _check(hub, viewer)
    task = hub.tasks.task(name, viewer)
    return TaskPage(task, hub.tasks.versions(name, viewer, TaskVersionQuery(limit=SHOWN_VERSIONS)).items)


def read_catalogue(hub: Reading, viewer: Viewer) -> CataloguePage:
    """Skills and campaigns; raises UnauthorizedError."""
    _check(hub, viewer)
    skills = hub.catalogue.skills(viewer, SkillQuery(limit=LARGEST_PAGE))
    running = hub.campaigns.campaigns(viewer, CampaignQuery(state="running", limit=LARGEST_PAGE)).items
    newest = hub.campaigns.campaigns(viewer, CampaignQuery()).items
    ended = tuple(campaign for campaign in newest if campaign.state != "running")
    return CataloguePage(skills.items, running + ended, more=skills.next is not None)


class SkillReader:
    """Reads one skill's page again and again.

    Robots are asked about once for each version: what they serve hardly changes, and there may be thousands.
    """

    def __init__(self, hub: Reading, name: str) -> None:
        self._hub, self._name = hub, name
        self._fits: tuple[object, tuple[RobotFit, ...]] = (None, ())

    def __call__(self, viewer: Viewer) -> SkillPage:
        """The skill with its history; raises NotFoundError, UnauthorizedError."""
        hub, name = self._hub, self._name
        _check(hub, viewer)
        versions = hub.catalogue.versions(name, viewer, VersionQuery(sort="newest", limit=HISTORY)).items
        campaigns = hub.campaigns.campaigns(viewer, CampaignQuery(skill=name)).items
        newest = next(iter(hub.releases.releases(name, viewer)), None)
        page = SkillPage(hub.catalogue.skill(name, viewer), versions, campaigns, (), newest)
        return replace(page, fits=self._ask(page.to_run, viewer))

    def _ask(self, version: int, viewer: Viewer) -> tuple[RobotFit, ...]:
        if not version or viewer is None or not viewer.may_act_as("operator", "read"):
            return ()
        if self._fits[0] != (version, viewer):
            query = RobotQuery(limit=LARGEST_PAGE)
            found = self._hub.fits.fits(self._name, str(version), viewer, query)
            self._fits = ((version, viewer), found.items)
        return self._fits[1]


def read_campaign(hub: Reading, campaign_id: str, viewer: Viewer) -> CampaignPage:
    """One campaign; raises NotFoundError, UnauthorizedError."""
    _check(hub, viewer)
    campaign = hub.campaigns.campaign(campaign_id, viewer)
    return CampaignPage(campaign, hub.catalogue.skill(campaign.order.skill, viewer).organisation)


def read_leaderboard(hub: Reading, task: str, address: str, viewer: Viewer) -> Leaderboard:
    """Scores of a task's skills; raises NotFoundError, UnauthorizedError."""
    _check(hub, viewer)
    return hub.leaderboards.board(task, viewer, BoardQuery(limit=LARGEST_PAGE), hub=address)


def may_operate(viewer: Viewer, owner: str) -> bool:
    """Whether the hub lets whoever looks act on an organisation's skill, so that buttons make sense."""
    return viewer is not None and viewer.may_act_as("operator", "operate") and may_change(viewer, owner)


def _check(hub: Reading, viewer: Viewer) -> None:
    if viewer is None and not hub.settings.public_catalogue:
        raise UnauthorizedError("this hub shows its skills to those it knows.", remedy="Sign in.")
