"""Routes of published tasks: publish, look, fetch. Checking them is `hub.tasks.checker`'s."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Header, Path, Query, Request, Response

from hub.api.bodies import FILE, File, take_in, takes
from hub.api.deps import Reader, Researcher, ServicesDep
from hub.api.errors import refusals
from hub.api.files import file_answer
from hub.api.permissions import SEEN, SEEN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.base import BLOB
from skills.messages.lists import Page, TaskQuery, TaskVersionQuery
from skills.messages.skills import Visibility
from skills.messages.tasks import TaskVersionView, TaskView

__all__ = ["router"]

Number = Annotated[int, Path(ge=1, lt=2**31, description="Counted by the hub for each task.")]

router = noun_router("tasks")


@router.post(
    "/tasks",
    status_code=201,
    **takes(
        "task",
        "The archive of a task's bundle, as `zunft task pack` makes it.",
        **heeds(unseen="409", others="403"),
    ),
    responses={
        200: {"model": TaskVersionView, "description": "It was here already."},
        **refusals(401, 403, 409, 413, 503),
    },
)
async def publish_task(
    request: Request,
    response: Response,
    services: ServicesDep,
    researcher: Researcher,
    file: File,
    visibility: Annotated[
        Visibility | None,
        Query(description="Who may see a new name; without it, what its organisation has decided."),
    ] = None,
) -> TaskVersionView:
    """Take a task's bundle in; the hub signs it, and lists it once its checker has found nothing wrong."""
    publish = partial(services.tasks.registry.publish, file, by=researcher, visibility=visibility)
    return await take_in(request, response, file.size, publish)


@router.get("/tasks", responses=refusals(401, 403), openapi_extra=SEEN_LISTED)
def list_tasks(services: ServicesDep, viewer: Reader, query: Annotated[TaskQuery, Query()]) -> Page[TaskView]:
    """Tasks that one sees, each with its newest version; of other organisations' only what is listed."""
    return services.tasks.registry.tasks(viewer, query)


@router.get("/tasks/{name}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_task(name: str, services: ServicesDep, viewer: Reader) -> TaskView:
    """One task and the numbers of its versions."""
    return services.tasks.registry.task(name, viewer)


@router.get("/tasks/{name}/versions", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def list_task_versions(
    name: str, services: ServicesDep, viewer: Reader, query: Annotated[TaskVersionQuery, Query()]
) -> Page[TaskVersionView]:
    """Versions of a task, newest first."""
    return services.tasks.registry.versions(name, viewer, query)


@router.get("/tasks/{name}/versions/{number}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_task_version(name: str, number: Number, services: ServicesDep, viewer: Reader) -> TaskVersionView:
    """One version, with what the checker found."""
    return services.tasks.registry.version(name, number, viewer)


@router.get(
    "/tasks/{name}/versions/{number}/file",
    response_class=Response,
    responses={
        200: {"content": {BLOB: FILE}, "description": "The archive."},
        206: {"content": {BLOB: FILE}, "description": "The bytes that were asked for."},
        304: {"description": "The caller has this version already."},
        307: {"description": "The file is to be fetched from the store itself, without credentials."},
        **refusals(401, 403, 404, 416, 503),
    },
    openapi_extra=SEEN,
)
def fetch_archive(
    name: str,
    number: Number,
    services: ServicesDep,
    viewer: Reader,
    if_none_match: Annotated[str, Header(description="Digest in quotes that the caller has.")] = "",
    asked: Annotated[str, Header(alias="Range", description="One range of bytes, to go on with.")] = "",
    if_range: Annotated[str, Header(description="Digest in quotes of which a range is wanted.")] = "",
) -> Response:
    """The archive; its ETag is its digest."""
    file = services.tasks.registry.file(name, number, viewer)
    return file_answer(file, if_none_match=if_none_match, asked=asked, if_range=if_range)
