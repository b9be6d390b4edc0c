"""Routes of users: admins make, revoke and sign them out; everybody sees who they are."""

from __future__ import annotations

from fastapi import APIRouter

from hub.api.deps import Admin, Researcher, ServicesDep
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


@router.get("/users/me", responses=refusals(401, 403))
def show_me(services: ServicesDep, user: Researcher) -> UserView:
    """The user that asks, by token or by session."""
    return services.accounts.user(user.name)


@router.delete("/users/{name}/sessions", status_code=204, responses=refusals(401, 403, 404))
def end_sessions(name: str, services: ServicesDep, admin: Admin) -> None:
    """Sign a user out of all browsers."""
    services.accounts.end_sessions(name, by=admin.actor)


@router.delete("/users/{name}", status_code=204, responses=refusals(401, 403, 404, 409))
def revoke_user(name: str, services: ServicesDep, admin: Admin) -> None:
    """Revoke a user's token and sessions for good."""
    services.accounts.revoke(name, by=admin.actor)
