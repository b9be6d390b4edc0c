"""Health, for load balancers and container engines: alive, and able to work."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError

from hub.api.deps import ServicesDep
from hub.api.errors import refusals
from skills.errors import ZunftError
from skills.messages.base import ErrorBody

__all__ = ["router"]

# Names the model: it brings the schema that all documented refusals point at.
router = APIRouter(tags=["health"], responses={500: {"model": ErrorBody}})

FRESH_SECONDS = 5.0
"""Anybody may ask whether the hub works; the stores are not written to more often than that for it."""


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


class NotReadyError(ZunftError):
    """The hub is up and cannot work."""

    code = "not_ready"
    status = 503


@router.get("/healthz")
def show_health() -> Health:
    """The process answers."""
    return Health()


@router.get("/readyz", responses=refusals(503))
def show_readiness(services: ServicesDep) -> Health:
    """Database, stores and everything that works in the background are well."""
    try:
        services.storage.database.check()
    except SQLAlchemyError as error:
        raise NotReadyError(
            "the database does not answer.", where="database_url", remedy="See the hub's log."
        ) from error
    services.storage.stores.check_lately(FRESH_SECONDS)
    for loop in services.loops:
        trouble = loop.trouble()
        if trouble:
            remedy = "See the hub's log, and restart it."
            raise NotReadyError(f"the loop {loop.name} {trouble}.", where=loop.name, remedy=remedy)
    return Health()
