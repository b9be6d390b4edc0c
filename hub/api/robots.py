"""Routes of robots: enrolment, who they are, what they are to do."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import Depends, Query, Response
from fastapi.concurrency import run_in_threadpool

from hub.api.deps import Operator, OperatorReads, Robot, ServicesDep, SignedRobot, count_wrong
from hub.api.errors import refusals
from hub.api.examples import AbilitiesBody, EnrolmentBody, HealthBody, TokensBody
from hub.api.permissions import OWN_LISTED, heeds
from hub.api.routers import noun_router
from skills.manifest import Name
from skills.messages.health import HealthAnswer, RobotHealth
from skills.messages.lists import ListQuery, Page, RobotQuery
from skills.messages.robots import Contribution, Enrolled, EnrolmentToken, JoinToken, RobotCounts, RobotView
from skills.messages.rounds import Assignment

__all__ = ["router"]

router = noun_router("robots")
OURS = heeds(unseen="404", others="404")


@router.get(
    "/robots/me/assignment",
    response_model=Assignment,
    responses={204: {"description": "Nothing to do now."}, **refusals(401, 403)},
    openapi_extra=heeds(unseen="204", others="yes"),
)
async def show_assignment(
    skill: Annotated[Name, Query(description="The skill that the robot works on.", examples=["weld-seam"])],
    services: ServicesDep,
    signed: SignedRobot,
    wait_seconds: Annotated[
        float, Query(ge=0, le=30, description="How long the answer may wait for work to appear.")
    ] = 0,
    refused: Annotated[
        str, Query(max_length=1000, description="A `Refusal` as JSON: what the robot would not take lately.")
    ] = "",
    trains: Annotated[
        bool, Query(description="False: it only runs skills. No round waits for it or gives it work.")
    ] = True,
    report: Annotated[
        str, Query(max_length=2000, description="A `Report` as JSON: what is new of the robot itself.")
    ] = "",
) -> Response:
    """What to do now: train from this base, push to this round."""
    if refused:
        await run_in_threadpool(services.robots.refusals.hear, refused, signed.principal)
    last = time.monotonic() + wait_seconds
    answer = await services.rounds.assignments.ask(signed, skill, trains=trains)
    if report:
        await services.rollouts.reports.hear(report, skill, signed.principal)
    while answer.work is None:
        left = last - time.monotonic()
        if not trains or not await services.rounds.held.another_round(skill, answer.open_round, left):
            return Response(status_code=204)
        answer = await services.rounds.assignments.ask_again(signed.principal, skill)
    return Response(answer.json, media_type="application/json")


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
    return services.robots.enrolment.create_tokens(request, by=operator)


@router.get("/enrolment-tokens", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_enrolment_tokens(
    services: ServicesDep, viewer: OperatorReads, query: Annotated[ListQuery, Query()]
) -> Page[JoinToken]:
    """Tokens with which a robot could still join one's organisation: who made them, and until when."""
    return services.robots.join_tokens.tokens(viewer, query)


@router.delete(
    "/enrolment-tokens/{token_id}",
    status_code=204,
    responses=refusals(401, 403, 404),
    openapi_extra=heeds(unseen="404", others="404"),
)
def revoke_enrolment_token(token_id: str, services: ServicesDep, operator: Operator) -> None:
    """Let nobody join with this token any more."""
    services.robots.join_tokens.revoke(token_id, operator)


@router.post(
    "/robots",
    status_code=201,
    responses=refusals(401, 403, 409, 413),
    dependencies=[Depends(count_wrong)],
)
def enrol(request: EnrolmentBody, services: ServicesDep) -> Enrolled:
    """Join with a one-time token and a public key; asked again with both, the answer is the same."""
    return services.robots.enrolment.enrol(request)


@router.get("/robots", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_robots(
    services: ServicesDep, viewer: OperatorReads, query: Annotated[RobotQuery, Query()]
) -> Page[RobotView]:
    """Robots of one's organisation, in the order in which they joined."""
    return services.robots.roster.robots(viewer, query)


@router.get("/robots/counts", responses=refusals(401, 403))
def count_robots(services: ServicesDep, viewer: OperatorReads) -> RobotCounts:
    """How many robots of one's organisation are online, away, lost, or refuse something."""
    return services.robots.roster.counts(viewer)


@router.get("/robots/me", responses=refusals(401, 403))
def show_myself(services: ServicesDep, robot: Robot) -> RobotView:
    """The robot that asks."""
    return services.robots.roster.robot(robot.name, robot)


@router.put("/robots/me/abilities", status_code=204, responses=refusals(401, 403, 413))
def tell_abilities(said: AbilitiesBody, services: ServicesDep, robot: Robot) -> None:
    """Say what one serves, in place of what one said before."""
    services.robots.fits.tell(said, by=robot)


@router.post("/robots/me/health", responses=refusals(401, 403, 404, 413))
def tell_health(said: HealthBody, services: ServicesDep, robot: Robot) -> HealthAnswer:
    """Ask what is usual for a machine of one's kind, and tell one's part of it: sums of jobs, each once."""
    return services.health.book.hear(said, by=robot)


@router.get("/robots/{robot_id}/health", responses=refusals(401, 403, 404), openapi_extra=OURS)
def show_health(robot_id: str, services: ServicesDep, viewer: OperatorReads) -> list[RobotHealth]:
    """How a robot of one's organisation finds itself, skill by skill; nothing of one that does not say."""
    return services.health.book.of_robot(robot_id, viewer)


@router.get("/robots/{robot_id}", responses=refusals(401, 403, 404), openapi_extra=OURS)
def show_robot(robot_id: str, services: ServicesDep, viewer: OperatorReads) -> RobotView:
    """One robot of one's organisation; past events say what happened to it."""
    return services.robots.roster.robot(robot_id, viewer)


@router.get("/robots/{robot_id}/contributions", responses=refusals(401, 403, 404), openapi_extra=OURS)
def list_contributions(
    robot_id: str, services: ServicesDep, viewer: OperatorReads, query: Annotated[ListQuery, Query()]
) -> Page[Contribution]:
    """What it sent that counted, newest first."""
    services.robots.roster.robot(robot_id, viewer)
    return services.robots.roster.contributions(robot_id, viewer, query)
