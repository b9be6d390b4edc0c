"""Routes of organisations: an admin makes and changes them, their users look at their own."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import Admin, ServicesDep, UserReads
from hub.api.errors import refusals
from hub.api.examples import OrganisationBody, SettingsBody
from hub.api.permissions import OWN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.lists import OrganisationQuery, Page
from skills.messages.organisations import OrganisationView

__all__ = ["router"]

router = noun_router("organisations")


@router.post("/organisations", status_code=201, responses=refusals(401, 403, 404, 409, 413))
def create_organisation(request: OrganisationBody, services: ServicesDep, admin: Admin) -> OrganisationView:
    """Make an organisation."""
    return services.organisations.registry.create(request, by=admin)


@router.get("/organisations", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_organisations(
    services: ServicesDep, viewer: UserReads, query: Annotated[OrganisationQuery, Query()]
) -> Page[OrganisationView]:
    """One's own organisation; all for admins."""
    return services.organisations.registry.organisations(viewer, query)


@router.get(
    "/organisations/{name}",
    responses=refusals(401, 403, 404),
    openapi_extra=heeds(unseen="404", others="404"),
)
def show_organisation(name: str, services: ServicesDep, viewer: UserReads) -> OrganisationView:
    """What an organisation may use, and what it uses."""
    return services.organisations.registry.organisation(name, viewer)


@router.put("/organisations/{name}", responses=refusals(401, 403, 404, 409, 413))
def change_organisation(
    name: str, request: SettingsBody, services: ServicesDep, admin: Admin
) -> OrganisationView:
    """Give an organisation other settings: all of them."""
    return services.organisations.registry.change(name, request, by=admin)
