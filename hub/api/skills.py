"""Routes of the catalogue: publish, look, fetch, and move channels."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from hub.api.bodies import FILE, File, expect_file, heavy_lifting
from hub.api.deps import Operator, Reader, Researcher, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import MoveBody
from hub.api.files import file_answer
from skills.messages import BLOB, Channel, SkillView, VersionView

__all__ = ["router", "skill_router"]

router = APIRouter(tags=["skills"])
skill_router = APIRouter(tags=["skills"])


@skill_router.post(
    "/skills",
    status_code=201,
    dependencies=[Depends(expect_file)],
    responses={
        200: {"model": VersionView, "description": "It was here already."},
        **refusals(401, 403, 409, 413, 503),
    },
    openapi_extra={
        "requestBody": {
            "content": {BLOB: FILE},
            "required": True,
            "description": "A skill file, see docs/format.md.",
        }
    },
)
async def publish_skill(
    request: Request, response: Response, services: ServicesDep, researcher: Researcher, file: File
) -> VersionView:
    """Take a skill file into the catalogue; the hub signs its digest."""
    publish = partial(services.catalogue.publish, file, by=researcher.actor)
    version, is_new = await heavy_lifting(request, file.size, publish)
    if not is_new:
        response.status_code = 200
    return version


@router.get("/skills", responses=refusals(401))
def list_skills(services: ServicesDep, _: Reader) -> list[SkillView]:
    """All skills."""
    return list(services.catalogue.skills())


@router.get("/skills/{name}", responses=refusals(401, 404))
def show_skill(name: str, services: ServicesDep, _: Reader) -> SkillView:
    """One skill with its stable version and its candidate."""
    return services.catalogue.skill(name)


@router.get("/skills/{name}/versions", responses=refusals(401, 404))
def list_versions(name: str, services: ServicesDep, _: Reader) -> list[VersionView]:
    """All versions, oldest first; parents give the lineage."""
    return list(services.catalogue.versions(name))


@router.get("/skills/{name}/versions/{ref}", responses=refusals(401, 404))
def show_version(name: str, ref: str, services: ServicesDep, _: Reader) -> VersionView:
    """One version, by number or channel."""
    return services.catalogue.version(name, ref)


@router.get(
    "/skills/{name}/versions/{ref}/file",
    response_class=Response,
    responses={
        200: {"content": {BLOB: FILE}, "description": "The skill file."},
        206: {"content": {BLOB: FILE}, "description": "The bytes that were asked for."},
        304: {"description": "The caller has this version already."},
        307: {"description": "The file is to be fetched from the store itself, without credentials."},
        **refusals(401, 404, 416, 503),
    },
)
def fetch_file(
    name: str,
    ref: str,
    services: ServicesDep,
    _: Reader,
    if_none_match: Annotated[str, Header(description="Digest in quotes that the caller has.")] = "",
    asked: Annotated[str, Header(alias="Range", description="One range of bytes, to go on with.")] = "",
    if_range: Annotated[str, Header(description="Digest in quotes of which a range is wanted.")] = "",
) -> Response:
    """The file itself; its ETag is its digest. Whoever lost the connection goes on with `Range`."""
    version = services.catalogue.version(name, ref)
    return file_answer(
        services.catalogue, version, if_none_match=if_none_match, asked=asked, if_range=if_range
    )


@router.put("/skills/{name}/channels/{channel}", responses=refusals(401, 403, 404, 409, 413))
def move_channel(
    name: str, channel: Channel, move: MoveBody, services: ServicesDep, operator: Operator
) -> VersionView:
    """Point a channel at a version: a release or a rollback. What becomes stable is measured first."""
    return services.releases.move(name, channel, move.version, by=operator.actor)
