"""What the pages of robots show: the fleet, and one robot with what it did and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.access.principal import Principal, Viewer
from hub.console.queries.asking import ROWS, Asked, query_of
from hub.services import Services
from skills.errors import UnauthorizedError
from skills.messages.events import Event
from skills.messages.health import RobotHealth
from skills.messages.lists import EventQuery, ListQuery, Page, RobotQuery, WithdrawalQuery
from skills.messages.reports import Use
from skills.messages.robots import Contribution, RobotCounts, RobotView
from skills.messages.withdrawals import WithdrawalView

__all__ = ["FleetPage", "RobotPage", "operator_of", "read_fleet", "read_robot"]


@dataclass(frozen=True)
class FleetPage:
    """Everything on `/robots`; in the order in which they joined. `uses`: what each says of skills."""

    robots: Page[RobotView]
    counts: RobotCounts
    uses: Mapping[str, tuple[Use, ...]]


@dataclass(frozen=True)
class RobotPage:
    """Everything on `/robots/{id}`; newest first. `withdrawal`: where it was forgotten."""

    robot: RobotView
    uses: tuple[Use, ...]
    contributions: tuple[Contribution, ...]
    events: tuple[Event, ...]
    withdrawal: WithdrawalView | None
    health: tuple[RobotHealth, ...]


def operator_of(viewer: Viewer) -> Principal:
    """Whoever looks, as one who runs robots.

    Raises:
        UnauthorizedError: Nobody is signed in.
        ForbiddenError: It is nobody who runs robots.
    """
    if viewer is None:
        raise UnauthorizedError("robots are shown to those who run them.", remedy="Sign in.")
    viewer.must_be("operator", "read")
    return viewer


def read_fleet(hub: Services, asked: Asked, viewer: Viewer) -> FleetPage:
    """A page of the fleet; raises UnauthorizedError, ForbiddenError, RequestError."""
    by = operator_of(viewer)
    roster = hub.robots.roster
    robots = roster.robots(by, query_of(RobotQuery, asked))
    uses = hub.rollouts.fleet.uses(by, [robot.robot_id for robot in robots.items])
    return FleetPage(robots, roster.counts(by), uses)


def read_robot(hub: Services, robot_id: str, viewer: Viewer) -> RobotPage:
    """One robot; raises NotFoundError, UnauthorizedError, ForbiddenError."""
    by = operator_of(viewer)
    roster, newest = hub.robots.roster, ListQuery(limit=ROWS)
    robot = roster.robot(robot_id, by)
    gone = hub.withdrawals.registry.withdrawals(by, WithdrawalQuery(robot=robot_id)).items
    return RobotPage(
        robot=robot,
        uses=hub.rollouts.fleet.uses(by, [robot_id]).get(robot_id, ()),
        contributions=roster.contributions(robot_id, by, newest).items,
        events=hub.events.log.past(by, EventQuery(robot=robot_id, limit=ROWS)).items,
        withdrawal=gone[0] if gone else None,
        health=tuple(hub.health.book.of_robot(robot_id, by)),
    )
