"""Routes of users, for admins."""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.deps import Admin, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import UserBody
from skills.messages import UserCreated, UserView

__all__ = ["router"]

router = APIRouter(tags=["users"])


@router.post("/users", status_code=201, responses=refusals(401, 403, 409, 413))
def create_user(request: UserBody, services: ServicesDep, admin: Admin) -> UserCreated:
    """Make a user; the token is shown only here."""
    return services.accounts.create(request, by=admin.actor)


@router.get("/users", responses=refusals(401, 403))
def list_users(services: ServicesDep, _: Admin) -> list[UserView]:
    """All users and how long their tokens are valid."""
    return list(services.accounts.users())


@router.delete("/users/{name}", status_code=204, responses=refusals(401, 403, 404, 409))
def revoke_user(name: str, services: ServicesDep, admin: Admin) -> None:
    """Revoke a user's token for good."""
    services.accounts.revoke(name, by=admin.actor)
