"""Routes of signed metadata, by The Update Framework: what robots believe, whoever answers here."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Header, Response

from hub.api.deps import Reader, ServicesDep, count_stranger
from hub.api.errors import refusals
from hub.api.routers import noun_router
from hub.tuf.repository import SignedFile
from skills.messages.robots import RootOfTrust

__all__ = ["router"]

router = noun_router("tuf")
JSON_FILE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/json": {}}, "description": "The signed file."}
}


@router.get("/tuf/first-root", responses=refusals(401, 403))
def show_first_root(services: ServicesDep, viewer: Reader) -> RootOfTrust:  # noqa: ARG001 - who may read may
    """The first root of trust, signed by the hub's key that robots pinned before there was one."""
    return services.tuf.repository.first_root()


@router.get(
    "/tuf/roots/{digest}",
    response_class=Response,
    responses={**JSON_FILE, **refusals(404)},
    dependencies=[Depends(count_stranger)],
)
def show_root(digest: str, services: ServicesDep) -> Response:
    """The root of trust with the digest that an enrolment token ends with."""
    return _answer(services.tuf.repository.root(digest), "")


@router.get(
    "/tuf/metadata/{file}",
    response_class=Response,
    responses={**JSON_FILE, 304: {"description": "The caller has the newest."}, **refusals(401, 403, 404)},
)
def show_metadata(
    file: str,
    services: ServicesDep,
    viewer: Reader,
    if_none_match: Annotated[str, Header(description="Tag in quotes of what the caller has.")] = "",
) -> Response:
    """`timestamp.json` or `VERSION.ROLE.json`; the timestamp's ETag changes with the root of trust, too."""
    return _answer(services.tuf.repository.file(file, viewer), if_none_match)


def _answer(file: SignedFile, known: str) -> Response:
    headers = {"ETag": f'"{file.tag}"', "Cache-Control": "no-cache"}
    if known == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(file.body, headers=headers, media_type="application/json")
