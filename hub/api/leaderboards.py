"""Routes of leaderboards: what the skills of a task scored, and how that looked."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from hub.api.bodies import FILE
from hub.api.deps import BrowserDep, Reader, ServicesDep
from hub.api.errors import refusals
from hub.api.permissions import SEEN, SEEN_LISTED
from hub.api.routers import noun_router
from skills.container import digest_of
from skills.messages.base import BLOB
from skills.messages.leaderboards import Leaderboard
from skills.messages.lists import BoardQuery

__all__ = ["router"]

router = noun_router("leaderboards")


@router.get("/tasks/{name}/leaderboard", responses=refusals(401, 403, 404), openapi_extra=SEEN_LISTED)
def show_leaderboard(
    name: str,
    services: ServicesDep,
    viewer: Reader,
    browser: BrowserDep,
    query: Annotated[BoardQuery, Query()],
) -> Leaderboard:
    """The skills that one sees, best first, with plan and seeds, and the command that repeats each score."""
    return services.leaderboards.boards.board(name, viewer, query, hub=browser.address)


@router.get(
    "/tasks/{name}/leaderboard/{skill}/replay",
    response_class=Response,
    responses={
        200: {"content": {BLOB: FILE}, "description": "A replay, see docs/leaderboards.md."},
        **refusals(401, 403, 404, 503),
    },
    openapi_extra=SEEN,
)
def fetch_replay(
    name: str,
    skill: str,
    services: ServicesDep,
    viewer: Reader,
    version: Annotated[
        int | None, Query(ge=1, le=1_000_000_000, description="That of this version, if it was scored.")
    ] = None,
) -> Response:
    """How the bodies moved in the best, the median and the worst episode; the ETag is the file's digest."""
    data = services.leaderboards.boards.replay(name, skill, viewer, version=version)
    headers = {"ETag": f'"{digest_of(data)}"', "Cache-Control": "no-cache"}
    return Response(data, headers=headers, media_type=BLOB)
