"""Routes of uploads: large files in parts, through the hub or straight to its store."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from hub.api.bodies import File, take_in, takes
from hub.api.deps import Bringer, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import UploadBody
from hub.api.routers import noun_router
from skills.messages.rounds import DeltaReceipt
from skills.messages.skills import VersionView
from skills.messages.uploads import UploadView

__all__ = ["router"]

router = noun_router("uploads")

UploadId = Annotated[str, Path(max_length=64)]
Number = Annotated[int, Path(ge=1, le=10_000)]


@router.post("/uploads", responses=refusals(401, 403, 404, 409, 413, 503))
def announce_upload(request: UploadBody, services: ServicesDep, principal: Bringer) -> UploadView:
    """Announce a file, or ask how far it got: the answer lists the parts that have still to be sent.

    Robots announce deltas, researchers skills. The same announcement finds the same upload again.
    """
    return services.deltas.uploads.announce(request, principal)


@router.put(
    "/uploads/{upload_id}/parts/{number}",
    status_code=204,
    **takes("part", "The bytes."),
    responses=refusals(401, 403, 404, 413, 503),
)
async def put_part(
    upload_id: UploadId, number: Number, services: ServicesDep, principal: Bringer, file: File
) -> None:
    """Bring a part, in any order, again where in doubt; unless the announcement named an address for it."""
    await run_in_threadpool(services.deltas.uploads.take_part, upload_id, number, file, principal)


@router.post(
    "/uploads/{upload_id}/complete",
    status_code=201,
    responses={
        200: {"model": DeltaReceipt | VersionView, "description": "It was here already; it counts once."},
        **refusals(401, 403, 404, 409, 413, 503),
    },
)
async def complete_upload(
    upload_id: UploadId, request: Request, response: Response, services: ServicesDep, principal: Bringer
) -> DeltaReceipt | VersionView:
    """All parts are there: take the file in, as if it had come in one request, with the same answer."""
    upload = await run_in_threadpool(services.deltas.uploads.find, upload_id, principal)
    request.state.is_delta = principal.role == "robot"  # for whoever counts them
    return await take_in(request, response, upload.size, services.deltas.uploads.complete, upload, principal)


@router.delete("/uploads/{upload_id}", status_code=204, responses=refusals(401, 403, 404, 503))
def cancel_upload(upload_id: UploadId, services: ServicesDep, principal: Bringer) -> None:
    """Give up; the parts are thrown away."""
    services.deltas.uploads.cancel(upload_id, principal)
