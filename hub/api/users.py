"""Routes of users: admins make, revoke and sign them out; of users' tokens, and of oneself, for everybody."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from hub.api.deps import Admin, AdminReads, Operator, OperatorReads, ServicesDep, TokenHolder, UserReads
from hub.api.errors import refusals
from hub.api.examples import InvitationBody, TokenBody, UserBody
from hub.api.permissions import OWN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.lists import ListQuery, Page, UserQuery
from skills.messages.tokens import TokenCreated, TokenView
from skills.messages.users import UserCreated, UserView

__all__ = ["router"]

router = noun_router("users")

OWN_TOKENS = heeds(unseen="403", others="403")


@router.post("/users", status_code=201, responses=refusals(401, 403, 404, 409, 413))
def create_user(request: UserBody, services: ServicesDep, admin: Admin) -> UserCreated:
    """Make a user; the user's first token is shown only here."""
    return services.organisations.accounts.create(request, by=admin.actor)


@router.get("/users", responses=refusals(401, 403))
def list_users(services: ServicesDep, _: AdminReads, query: Annotated[UserQuery, Query()]) -> Page[UserView]:
    """Users, and how long their tokens are valid."""
    return services.organisations.accounts.users(query)


@router.post("/colleagues", status_code=201, responses=refusals(401, 403, 409, 413))
def invite_colleague(request: InvitationBody, services: ServicesDep, operator: Operator) -> UserCreated:
    """Let a colleague into one's own organisation; the token, which signs in, is shown only here."""
    return services.organisations.accounts.invite(request, by=operator)


@router.get("/colleagues", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_colleagues(
    services: ServicesDep, operator: OperatorReads, query: Annotated[UserQuery, Query()]
) -> Page[UserView]:
    """Users of one's own organisation; all for admins."""
    return services.organisations.accounts.colleagues(operator, query)


@router.get("/users/me", responses=refusals(401, 403))
def show_me(services: ServicesDep, user: UserReads) -> UserView:
    """The user that asks, by token or by session."""
    return services.organisations.accounts.user(user.name)


@router.delete("/users/{name}/sessions", status_code=204, responses=refusals(401, 403, 404))
def end_sessions(name: str, services: ServicesDep, admin: Admin) -> None:
    """Sign a user out of all browsers."""
    services.organisations.accounts.end_sessions(name, by=admin.actor)


@router.delete("/users/{name}", status_code=204, responses=refusals(401, 403, 404, 409))
def revoke_user(name: str, services: ServicesDep, admin: Admin) -> None:
    """Revoke a user with all tokens and sessions for good."""
    services.organisations.accounts.revoke(name, by=admin.actor)


@router.post(
    "/users/{name}/tokens",
    status_code=201,
    responses=refusals(401, 403, 404, 409, 413),
    openapi_extra=OWN_TOKENS,
)
def create_token(name: str, request: TokenBody, services: ServicesDep, user: TokenHolder) -> TokenCreated:
    """Make a token for oneself (`me`) that opens and lasts no more than the one shown; admins for anybody."""
    return services.access.tokens.create(name, request, by=user)


@router.get("/users/{name}/tokens", responses=refusals(401, 403, 404), openapi_extra=OWN_TOKENS)
def list_tokens(
    name: str, services: ServicesDep, user: TokenHolder, query: Annotated[ListQuery, Query()]
) -> Page[TokenView]:
    """One's own tokens (`me`) without their secrets; admins see everybody's."""
    return services.access.tokens.tokens(name, query, by=user)


@router.delete(
    "/users/{name}/tokens/{token}",
    status_code=204,
    responses=refusals(401, 403, 404, 409),
    openapi_extra=OWN_TOKENS,
)
def revoke_token(name: str, token: str, services: ServicesDep, user: TokenHolder) -> None:
    """Revoke one of one's own tokens (`me`) for good; admins anybody's."""
    services.access.tokens.revoke(name, token, by=user)
