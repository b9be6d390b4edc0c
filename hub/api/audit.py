"""The route of the audit log, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from hub.api.deps import AdminReads, ServicesDep
from hub.api.errors import refusals
from skills.messages import AuditEntry

__all__ = ["router"]

router = APIRouter(tags=["audit"])

LARGEST_NUMBER = 2**63 - 1


@router.get("/audit", responses=refusals(401, 403))
def list_audit(
    services: ServicesDep,
    _: AdminReads,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_NUMBER, description="The last number of the page before.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries on a page.")] = 100,
) -> list[AuditEntry]:
    """Who did what, oldest first; the next page comes after the last number of this one."""
    return services.audit.after(after, limit)
