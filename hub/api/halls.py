"""The route of halls: who is above whom, so that none joins a hall that is under it."""

from __future__ import annotations

from hub.api.deps import Robot, ServicesDep
from hub.api.errors import refusals
from hub.api.routers import noun_router
from skills.messages.halls import HallPath

__all__ = ["router"]

router = noun_router("halls")


@router.get("/halls/path", responses=refusals(401, 403))
def show_path(services: ServicesDep, robot: Robot) -> HallPath:  # noqa: ARG001 - asked for, to be one
    """This hall's id and those of the halls above it: for a hall that has joined, or is about to."""
    return services.halls.memberships.path()
