"""Routes of users, for admins."""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.deps import Admin, ServicesDep
from hub.api.errors import refusals
from skills.messages import UserCreated, UserRequest

__all__ = ["router"]

router = APIRouter(tags=["users"])


@router.post("/users", status_code=201, responses=refusals(401, 403, 409, 422))
def create_user(request: UserRequest, services: ServicesDep, _: Admin) -> UserCreated:
    """Make a user; the token is shown only here."""
    return services.accounts.create(request)


@router.delete("/users/{name}", status_code=204, responses=refusals(401, 403, 404, 409))
def revoke_user(name: str, services: ServicesDep, _: Admin) -> None:
    """Revoke a user's token for good."""
    services.accounts.revoke(name)
