"""Routes of roll-outs: operators order them, whoever sees the skill looks; and the fleet as it reports."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import AnyLogin, Operator, OperatorReads, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import RolloutBody, RolloutOrderBody, TagsBody
from hub.api.permissions import OWN, SEEN, SEEN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.lists import FleetQuery, Page, RolloutQuery
from skills.messages.reports import Adoption, FleetRobot, TagsChange, Use
from skills.messages.rollouts import RolloutCounts, RolloutView

__all__ = ["router"]

router = noun_router("rollouts")
OURS = heeds(unseen="404", others="404")


@router.post("/rollouts", status_code=201, responses=refusals(401, 403, 404, 409, 413), openapi_extra=OWN)
def start_rollout(request: RolloutBody, services: ServicesDep, operator: Operator) -> RolloutView:
    """Bring a version to robots ring by ring, instead of to all at once."""
    return services.rollouts.orders.start(request, by=operator)


@router.get("/rollouts", responses=refusals(401, 403), openapi_extra=SEEN_LISTED)
def list_rollouts(
    services: ServicesDep, viewer: AnyLogin, query: Annotated[RolloutQuery, Query()]
) -> Page[RolloutView]:
    """Roll-outs that one sees, newest first, without what their robots say."""
    return services.rollouts.orders.rollouts(viewer, query)


@router.get("/rollouts/counts", responses=refusals(401, 403))
def count_rollouts(services: ServicesDep, viewer: AnyLogin) -> RolloutCounts:
    """How many roll-outs one sees, how many are under way, and how many prevented an incident."""
    return services.rollouts.orders.counts(viewer)


@router.get("/rollouts/{rollout_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_rollout(rollout_id: str, services: ServicesDep, viewer: AnyLogin) -> RolloutView:
    """One roll-out: how each ring stands, and its journal."""
    return services.rollouts.orders.rollout(rollout_id, viewer)


@router.post("/rollouts/{rollout_id}/orders", responses=refusals(401, 403, 404, 409, 413), openapi_extra=OWN)
def order_rollout(
    rollout_id: str, request: RolloutOrderBody, services: ServicesDep, operator: Operator
) -> RolloutView:
    """Pause, resume, approve or abort it; to abort is to roll back, also when it is done."""
    return services.rollouts.orders.order(rollout_id, request, by=operator)


@router.get("/fleet", responses=refusals(401, 403, 404), openapi_extra=heeds(unseen="404", others="yes"))
def list_fleet(
    services: ServicesDep, viewer: OperatorReads, query: Annotated[FleetQuery, Query()]
) -> Page[FleetRobot]:
    """Robots of one's organisation that ask for a skill, and what they say of themselves."""
    return services.rollouts.fleet.robots(viewer, query)


@router.get("/robots/{robot_id}/uses", responses=refusals(401, 403, 404), openapi_extra=OURS)
def list_uses(robot_id: str, services: ServicesDep, viewer: OperatorReads) -> list[Use]:
    """By skill: which version a robot says that it uses, which one it is to use, and how its jobs went."""
    services.robots.roster.robot(robot_id, viewer)
    return list(services.rollouts.fleet.uses(viewer, [robot_id]).get(robot_id, ()))


@router.get(
    "/skills/{name}/adoption",
    responses=refusals(401, 403, 404),
    openapi_extra=heeds(unseen="404", others="yes"),
)
def show_adoption(name: str, services: ServicesDep, viewer: OperatorReads) -> list[Adoption]:
    """By version: how many robots of one's organisation say that they use it, and how its jobs went."""
    return list(services.rollouts.fleet.adoption(name, viewer))


@router.put("/robots/{robot_id}/tags", responses=refusals(401, 403, 404, 413), openapi_extra=OURS)
def tag_robot(robot_id: str, request: TagsBody, services: ServicesDep, operator: Operator) -> TagsChange:
    """Call a robot by these tags, in place of all before."""
    return TagsChange(tags=services.rollouts.fleet.tag(robot_id, request, by=operator))
