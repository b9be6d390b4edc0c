"""Routes of robots: enrolment, who they are, what they are to do."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.concurrency import run_in_threadpool

from hub.api.deps import Operator, OperatorReads, Robot, ServicesDep, count_stranger
from hub.api.doors import OWN_LISTED, heeds
from hub.api.errors import refusals
from hub.api.examples import AbilitiesBody, EnrolmentBody, TokensBody
from hub.services import Services
from skills.lists import Page, RobotQuery
from skills.manifest import Name
from skills.messages import (
    Assignment,
    Enrolled,
    EnrolmentToken,
    RobotView,
)

__all__ = ["router"]

router = APIRouter(tags=["robots"])


@router.post(
    "/enrolment-tokens",
    status_code=201,
    responses=refusals(401, 403, 404, 413),
    openapi_extra=heeds(unseen="403", others="403"),
)
def create_enrolment_tokens(
    request: TokensBody, services: ServicesDep, operator: Operator
) -> list[EnrolmentToken]:
    """Hand out one-time tokens; each is shown only here and enrols one robot."""
    return services.enrolment.create_tokens(request, by=operator)


@router.post(
    "/robots",
    status_code=201,
    responses=refusals(401, 403, 409, 413),
    dependencies=[Depends(count_stranger)],
)
def enrol(request: EnrolmentBody, services: ServicesDep) -> Enrolled:
    """Join with a one-time token and a public key; asked again with both, the answer is the same."""
    return services.enrolment.enrol(request)


@router.get("/robots", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_robots(
    services: ServicesDep, viewer: OperatorReads, query: Annotated[RobotQuery, Query()]
) -> Page[RobotView]:
    """Robots of one's organisation, in the order in which they joined."""
    return services.enrolment.robots(viewer, query)


@router.get("/robots/me", responses=refusals(401, 403))
def show_myself(services: ServicesDep, robot: Robot) -> RobotView:
    """The robot that asks."""
    return services.enrolment.robot(robot.name, robot)


@router.put("/robots/me/abilities", status_code=204, responses=refusals(401, 403, 413))
def tell_abilities(said: AbilitiesBody, services: ServicesDep, robot: Robot) -> None:
    """Say what one serves, in place of what one said before."""
    services.fits.tell(said, by=robot)


@router.get(
    "/robots/me/assignment",
    response_model=Assignment,
    responses={204: {"description": "Nothing to do now."}, **refusals(401, 403)},
    openapi_extra=heeds(unseen="204", others="yes"),
)
async def show_assignment(
    skill: Annotated[Name, Query(description="The skill that the robot works on.", examples=["weld-seam"])],
    services: ServicesDep,
    robot: Robot,
    wait_seconds: Annotated[
        float, Query(ge=0, le=30, description="How long the answer may wait for work to appear.")
    ] = 0,
) -> Assignment | Response:
    """What to do now: train from this base, push to this round."""
    last = time.monotonic() + wait_seconds
    while True:
        known = await services.open_rounds.ask(skill) if wait_seconds else ""
        assignment = await run_in_threadpool(services.campaigns.assignment, robot, skill)
        if assignment is not None or not await _wait_for_another(services, skill, known, last):
            return assignment or Response(status_code=204)


async def _wait_for_another(services: Services, skill: str, known: str, last: float) -> bool:
    """Whether another round opens before `last`: until then there is nothing new for any robot."""
    while not services.bell.closed:
        seen, left = services.bell.rings, last - time.monotonic()
        if left <= 0:
            return False
        if await services.open_rounds.ask(skill) not in {"", known}:
            return True
        await services.bell.wait_async(seen, left)
    return False
