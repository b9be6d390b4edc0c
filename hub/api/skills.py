"""Routes of the catalogue: publish, look, fetch, and move channels."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Header, Path, Query, Request, Response

from hub.api.bodies import FILE, File, take_in, takes
from hub.api.deps import Operator, OperatorReads, Reader, Researcher, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import MinimumBody, MoveBody, UntrainedBody, VisibilityBody
from hub.api.files import file_answer
from hub.api.permissions import OWN, SEEN, SEEN_LISTED, heeds
from hub.api.routers import noun_router
from skills.fits import RobotFit
from skills.manifest import Name
from skills.messages.base import API, BLOB
from skills.messages.causes import Explanation
from skills.messages.comparisons import Comparison
from skills.messages.lists import FitQuery, Page, SkillQuery, VersionQuery
from skills.messages.replays import Film
from skills.messages.skills import ChannelName, ReleaseView, SkillView, VersionView, Visibility

__all__ = ["router"]

EmbodimentName = Annotated[Name, Path(max_length=64)]
router = noun_router("skills")


@router.post(
    "/skills",
    status_code=201,
    **takes("skill", "A skill file, see docs/format.md.", **heeds(unseen="409", others="403")),
    responses={
        200: {"model": VersionView, "description": "It was here already."},
        **refusals(401, 403, 409, 413, 503),
    },
)
async def publish_skill(
    request: Request,
    response: Response,
    services: ServicesDep,
    researcher: Researcher,
    file: File,
    visibility: Annotated[
        Visibility | None,
        Query(description="Who may see a new name; without it, what its organisation has decided."),
    ] = None,
) -> VersionView:
    """Take a skill file into the catalogue; the hub signs its digest. A new name is one's organisation's."""
    publish = partial(services.catalogue.skills.publish, file, by=researcher, visibility=visibility)
    return await take_in(request, response, file.size, publish)


@router.post("/skills/untrained", status_code=201, responses=refusals(401, 403, 404, 409, 413))
def begin_skill(request: UntrainedBody, services: ServicesDep, researcher: Researcher) -> VersionView:
    """Have a worker make version 1 of a task's skill, an untrained network from which campaigns begin."""
    return services.catalogue.beginnings.begin(request.task, request.seed, by=researcher)


@router.get("/skills", responses=refusals(401, 403, 404), openapi_extra=SEEN_LISTED)
def list_skills(
    services: ServicesDep, viewer: Reader, query: Annotated[SkillQuery, Query()]
) -> Page[SkillView]:
    """Skills that one sees; 404 where they are to fit a robot that one does not see."""
    return services.catalogue.skills.skills(viewer, query)


@router.get("/skills/{name}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_skill(name: str, services: ServicesDep, viewer: Reader) -> SkillView:
    """One skill with its stable version and its candidate."""
    return services.catalogue.skills.skill(name, viewer)


@router.get("/skills/{name}/versions", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def list_versions(
    name: str, services: ServicesDep, viewer: Reader, query: Annotated[VersionQuery, Query()]
) -> Page[VersionView]:
    """Versions of a skill; parents give the lineage."""
    return services.catalogue.skills.versions(name, viewer, query)


@router.get("/skills/{name}/versions/{ref}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_version(name: str, ref: str, services: ServicesDep, viewer: Reader) -> VersionView:
    """One version, by number or channel."""
    return services.catalogue.skills.version(name, ref, viewer)


@router.get("/skills/{name}/versions/{ref}/fits", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_fits(
    name: str, ref: str, services: ServicesDep, viewer: OperatorReads, query: Annotated[FitQuery, Query()]
) -> Page[RobotFit]:
    """Which of one's organisation's robots can run a version, and why the others cannot."""
    return services.robots.fits.fits(name, ref, viewer, query)


@router.get(
    "/skills/{name}/versions/{ref}/file",
    response_class=Response,
    responses={
        200: {"content": {BLOB: FILE}, "description": "The skill file."},
        206: {"content": {BLOB: FILE}, "description": "The bytes that were asked for."},
        304: {"description": "The caller has this version already."},
        307: {"description": "The file is to be fetched from the store itself, without credentials."},
        **refusals(401, 403, 404, 416, 503),
    },
    openapi_extra=SEEN,
)
def fetch_file(
    name: str,
    ref: str,
    services: ServicesDep,
    viewer: Reader,
    if_none_match: Annotated[str, Header(description="Digest in quotes that the caller has.")] = "",
    asked: Annotated[str, Header(alias="Range", description="One range of bytes, to go on with.")] = "",
    if_range: Annotated[str, Header(description="Digest in quotes of which a range is wanted.")] = "",
) -> Response:
    """The file itself; its ETag is its digest. Whoever lost the connection goes on with `Range`."""
    file = services.catalogue.skills.file(services.catalogue.skills.version(name, ref, viewer), viewer)
    return file_answer(file, if_none_match=if_none_match, asked=asked, if_range=if_range)


@router.put(
    "/skills/{name}/channels/{channel}",
    status_code=202,
    responses=refusals(401, 403, 404, 409, 413),
    openapi_extra=OWN,
)
def move_channel(
    name: str,
    channel: ChannelName,
    move: MoveBody,
    response: Response,
    services: ServicesDep,
    operator: Operator,
) -> ReleaseView:
    """Point a channel at a version: a release or a rollback; `Location` says where to ask what became of it.

    What was measured is released at once. What becomes stable for the first time is measured before. Where
    the organisation's own key releases, the answer is what to sign, and the next question brings that.
    """
    release = services.catalogue.releases.move(
        name,
        channel,
        move.version,
        by=operator,
        words=move.reason.strip(),
        lowest=move.lowest,
        key=move.key,
        signed=move.signed,
    )
    response.headers["Location"] = f"{API}/skills/{name}/releases/{release.release_id}"
    return release


@router.get("/skills/{name}/releases", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def list_releases(name: str, services: ServicesDep, viewer: Reader) -> list[ReleaseView]:
    """The newest releases and rollbacks, and the first version's own, newest first."""
    return services.catalogue.releases.releases(name, viewer)


@router.get("/skills/{name}/releases/{release_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_release(name: str, release_id: str, services: ServicesDep, viewer: Reader) -> ReleaseView:
    """What became of a release: `queued`, `measuring`, `unsigned`, `released`, or `refused` and why."""
    return services.catalogue.releases.release(name, release_id, viewer)


@router.put("/skills/{name}/minimum", responses=refusals(401, 403, 404, 413), openapi_extra=OWN)
def change_minimum(name: str, change: MinimumBody, services: ServicesDep, operator: Operator) -> SkillView:
    """Say what success the first stable version must reach; null: more than doing nothing does."""
    return services.catalogue.skills.set_minimum(name, change.minimum, by=operator)


@router.put("/skills/{name}/visibility", responses=refusals(401, 403, 404, 413), openapi_extra=OWN)
def change_visibility(
    name: str, change: VisibilityBody, services: ServicesDep, operator: Operator
) -> SkillView:
    """Say who may see a skill from now on; what others have of it already they keep."""
    return services.catalogue.skills.show_to(name, change.visibility, by=operator)


@router.get(
    "/skills/{name}/versions/{ref}/causes", responses=refusals(401, 403, 404, 409), openapi_extra=SEEN
)
def show_causes(name: str, ref: str, services: ServicesDep, viewer: Reader) -> Explanation:
    """What goes with this version's failures, once somebody has had it measured."""
    return services.catalogue.explanations.explanation(name, ref, viewer)


@router.get(
    "/skills/{name}/versions/{ref}/films/{embodiment}",
    responses=refusals(401, 403, 404, 409),
    openapi_extra=SEEN,
)
def show_film(name: str, ref: str, embodiment: EmbodimentName, services: ServicesDep, viewer: Reader) -> Film:
    """Best, median, worst and failed episodes as poses and traces, once somebody had them recorded."""
    return services.catalogue.films.film(name, ref, embodiment, viewer)


@router.post(
    "/skills/{name}/versions/{ref}/films/{embodiment}",
    responses=refusals(401, 403, 404),
    openapi_extra=OWN,
)
def make_film(
    name: str, ref: str, embodiment: EmbodimentName, services: ServicesDep, operator: Operator
) -> Film:
    """Have a worker step the gate's first jobs again and record them; may take a minute."""
    return services.catalogue.films.make(name, ref, embodiment, by=operator)


@router.post("/skills/{name}/versions/{ref}/causes", responses=refusals(401, 403, 404), openapi_extra=OWN)
def find_causes(name: str, ref: str, services: ServicesDep, operator: Operator) -> Explanation:
    """Have a worker measure on many held-out robots what goes with failure; may take a minute."""
    return services.catalogue.explanations.explain(name, ref, by=operator)


@router.get(
    "/skills/{name}/versions/{ref}/comparisons/{other}",
    responses=refusals(401, 403, 404, 409),
    openapi_extra=SEEN,
)
def show_comparison(name: str, ref: str, other: str, services: ServicesDep, viewer: Reader) -> Comparison:
    """Two versions on the same jobs and by their numbers, once somebody had them compared."""
    return services.catalogue.comparisons.comparison(name, ref, other, viewer)


@router.post(
    "/skills/{name}/versions/{ref}/comparisons/{other}",
    responses=refusals(401, 403, 404, 409),
    openapi_extra=OWN,
)
def compare(name: str, ref: str, other: str, services: ServicesDep, operator: Operator) -> Comparison:
    """Have a worker run both versions on the same held-out jobs; may take a minute."""
    return services.catalogue.comparisons.compare(name, ref, other, by=operator)
