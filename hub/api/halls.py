"""Routes of halls: who is above whom, and what a hall takes back of what it handed up."""

from __future__ import annotations

from hub.api.deps import Robot, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import RecallBody
from hub.api.routers import noun_router
from skills.messages.halls import HallPath, Recalled

__all__ = ["router"]

router = noun_router("halls")


@router.get("/halls/path", responses=refusals(401, 403))
def show_path(services: ServicesDep, robot: Robot) -> HallPath:  # noqa: ARG001 - asked for, to be one
    """This hall's id and those of the halls above it: for a hall that has joined, or is about to."""
    return services.halls.memberships.path()


@router.post("/halls/recalls", responses=refusals(401, 403, 409, 413))
def recall(request: RecallBody, services: ServicesDep, robot: Robot) -> Recalled:
    """Take back one's deltas of some rounds; what was merged from them is made again without."""
    return services.withdrawals.registry.recall(request, robot)
