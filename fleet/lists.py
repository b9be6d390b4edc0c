"""The hub's lists, a page at a time, as a user's client asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from fleet import paths
from fleet.connection import Connection
from skills.fits import RobotFit
from skills.messages.base import API
from skills.messages.campaigns import CampaignView
from skills.messages.events import AuditEntry, Event
from skills.messages.leaderboards import Leaderboard
from skills.messages.lists import (
    AtWorkQuery,
    AuditQuery,
    BoardQuery,
    CampaignQuery,
    EventQuery,
    FleetQuery,
    ListQuery,
    OrganisationQuery,
    Page,
    RobotQuery,
    RolloutQuery,
    RoundQuery,
    SkillQuery,
    TaskQuery,
    TaskVersionQuery,
    UserQuery,
    VersionQuery,
    WithdrawalQuery,
)
from skills.messages.organisations import OrganisationView
from skills.messages.reports import FleetRobot
from skills.messages.robots import JoinToken, RobotView
from skills.messages.rollouts import RolloutView
from skills.messages.rounds import RobotAtWork, RoundView
from skills.messages.skills import SkillView, VersionView
from skills.messages.tasks import TaskVersionView, TaskView
from skills.messages.tokens import TokenView
from skills.messages.users import UserView
from skills.messages.webhooks import DeadLetter, WebhookView
from skills.messages.withdrawals import WithdrawalView

__all__ = ["Lists", "everything"]

T = TypeVar("T")
Q = TypeVar("Q", bound=ListQuery)


@dataclass
class Lists:
    """What one sees of a hub, list by list."""

    connection: Connection

    def skills(self, query: SkillQuery) -> Page[SkillView]:
        """The catalogue, a page of it."""
        return self.connection.ask(Page[SkillView], "GET", _page(f"{API}/skills", query))

    def versions(self, name: str, query: VersionQuery) -> Page[VersionView]:
        """Versions of a skill."""
        return self.connection.ask(Page[VersionView], "GET", _page(f"{paths.skill(name)}/versions", query))

    def fits(self, name: str, ref: str, query: RobotQuery) -> Page[RobotFit]:
        """Which robots of the user's organisation can run a version."""
        return self.connection.ask(Page[RobotFit], "GET", _page(f"{paths.version(name, ref)}/fits", query))

    def leaderboard(self, task: str, query: BoardQuery) -> Leaderboard:
        """Scores of a task's skills, best first; with a skill, those of all its scored versions."""
        return self.connection.ask(Leaderboard, "GET", _page(paths.board(task), query))

    def tasks(self, query: TaskQuery) -> Page[TaskView]:
        """The hub's tasks."""
        return self.connection.ask(Page[TaskView], "GET", _page(f"{API}/tasks", query))

    def task_versions(self, name: str, query: TaskVersionQuery) -> Page[TaskVersionView]:
        """Versions of a task."""
        return self.connection.ask(Page[TaskVersionView], "GET", _page(f"{paths.task(name)}/versions", query))

    def robots(self, query: RobotQuery) -> Page[RobotView]:
        """Robots of the user's organisation; of all for admins."""
        return self.connection.ask(Page[RobotView], "GET", _page(f"{API}/robots", query))

    def fleet(self, query: FleetQuery) -> Page[FleetRobot]:
        """Robots of the user's organisation that ask for a skill, and what they say of themselves."""
        return self.connection.ask(Page[FleetRobot], "GET", _page(f"{API}/fleet", query))

    def rollouts(self, query: RolloutQuery) -> Page[RolloutView]:
        """Roll-outs, without what their robots say."""
        return self.connection.ask(Page[RolloutView], "GET", _page(f"{API}/rollouts", query))

    def campaigns(self, query: CampaignQuery) -> Page[CampaignView]:
        """Campaigns, each with its last round."""
        return self.connection.ask(Page[CampaignView], "GET", _page(f"{API}/campaigns", query))

    def rounds(self, campaign_id: str, query: RoundQuery) -> Page[RoundView]:
        """Rounds of a campaign."""
        return self.connection.ask(
            Page[RoundView], "GET", _page(f"{paths.campaign(campaign_id)}/rounds", query)
        )

    def robots_at_work(self, campaign_id: str, query: AtWorkQuery) -> Page[RobotAtWork]:
        """Robots in a round of a campaign, and what each brought."""
        return self.connection.ask(
            Page[RobotAtWork], "GET", _page(f"{paths.campaign(campaign_id)}/robots", query)
        )

    def users(self, query: UserQuery) -> Page[UserView]:
        """Users, for admins."""
        return self.connection.ask(Page[UserView], "GET", _page(f"{API}/users", query))

    def webhooks(self, query: ListQuery) -> Page[WebhookView]:
        """Webhooks that the user may see."""
        return self.connection.ask(Page[WebhookView], "GET", _page(f"{API}/webhooks", query))

    def dead_letters(self, webhook_id: str, query: ListQuery) -> Page[DeadLetter]:
        """Events that it was not told of."""
        return self.connection.ask(Page[DeadLetter], "GET", _page(f"{paths.webhook(webhook_id)}/dead", query))

    def tokens(self, user: str, query: ListQuery) -> Page[TokenView]:
        """A user's tokens without their secrets."""
        return self.connection.ask(Page[TokenView], "GET", _page(paths.tokens(user), query))

    def join_tokens(self, query: ListQuery) -> Page[JoinToken]:
        """Tokens with which a robot could still join one's organisation."""
        return self.connection.ask(Page[JoinToken], "GET", _page(f"{API}/enrolment-tokens", query))

    def organisations(self, query: OrganisationQuery) -> Page[OrganisationView]:
        """The user's own organisation; all for admins."""
        return self.connection.ask(Page[OrganisationView], "GET", _page(f"{API}/organisations", query))

    def withdrawals(self, query: WithdrawalQuery) -> Page[WithdrawalView]:
        """Withdrawals of robots that the user may see."""
        return self.connection.ask(Page[WithdrawalView], "GET", _page(f"{API}/withdrawals", query))

    def past_events(self, query: EventQuery) -> Page[Event]:
        """What happened, newest first."""
        return self.connection.ask(Page[Event], "GET", _page(f"{API}/events/past", query))

    def audit(self, query: AuditQuery) -> Page[AuditEntry]:
        """Entries of the audit log, for admins."""
        return self.connection.ask(Page[AuditEntry], "GET", _page(f"{API}/audit", query))


def everything(ask: Callable[[Q], Page[T]], query: Q) -> Iterator[T]:
    """All entries of a list, page by page: `everything(client.skills, SkillQuery())`."""
    while True:
        page = ask(query)
        yield from page.items
        if page.next is None:
            return
        query = query.model_copy(update={"cursor": page.next})


def _page(path: str, query: ListQuery) -> str:
    asked = urlencode(query.model_dump(mode="json", exclude_defaults=True))
    return f"{path}?{asked}" if asked else path
