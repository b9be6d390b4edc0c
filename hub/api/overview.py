"""The route of the hub at a glance."""

from __future__ import annotations

from hub.api.deps import Reader, ServicesDep
from hub.api.errors import refusals
from hub.api.routers import noun_router
from skills.messages.overview import Overview

__all__ = ["router"]

router = noun_router("overview")


@router.get("/overview", responses=refusals(401, 403))
def show_overview(services: ServicesDep, viewer: Reader) -> Overview:
    """What goes on now, what happened last, and, for operators, what needs a person."""
    return services.overview.overviews.overview(viewer)
