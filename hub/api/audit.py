"""The route of the audit log, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import AdminReads, ServicesDep
from hub.api.errors import refusals
from hub.api.routers import noun_router
from skills.messages.events import AuditEntry
from skills.messages.lists import AuditQuery, Page

__all__ = ["router"]

router = noun_router("audit")


@router.get("/audit", responses=refusals(401, 403))
def list_audit(
    services: ServicesDep, _: AdminReads, query: Annotated[AuditQuery, Query()]
) -> Page[AuditEntry]:
    """Who did what."""
    return services.events.audit.entries(query)
