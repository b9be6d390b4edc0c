"""Routes of rounds: robots bring deltas, whoever sees the skill looks."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Response
from fastapi.concurrency import run_in_threadpool

from hub.api.deps import AnyLogin, ServicesDep
from hub.api.doors import SEEN
from hub.api.errors import refusals
from hub.api.uploads import DeltaUpload
from skills.messages import BLOB, DELTA_SIGNATURE_HEADER, DeltaReceipt, RoundView

__all__ = ["delta_router", "router"]

router = APIRouter(tags=["rounds"])
delta_router = APIRouter(tags=["rounds"])

FILE = {"content": {BLOB: {"schema": {"type": "string", "format": "binary"}}}, "required": True}


@router.get("/rounds/{round_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_round(round_id: str, services: ServicesDep, viewer: AnyLogin) -> RoundView:
    """A round, and in words why it is where it is."""
    return services.campaigns.round(round_id, viewer)


@delta_router.post(
    "/rounds/{round_id}/deltas",
    status_code=201,
    responses={
        200: {"model": DeltaReceipt, "description": "It was here already; it counts once."},
        **refusals(401, 403, 404, 409, 413, 503),
    },
    openapi_extra={"requestBody": {**FILE, "description": "A delta file, see docs/format.md."}, **SEEN},
)
async def push_delta(
    round_id: str,
    response: Response,
    services: ServicesDep,
    upload: DeltaUpload,
    signature: Annotated[
        str,
        Header(alias=DELTA_SIGNATURE_HEADER, max_length=128, description="Base64 Ed25519 over the file."),
    ],
) -> DeltaReceipt:
    """Bring what this robot learned. The answer comes when the delta is safe on disk."""
    receipt = await run_in_threadpool(services.admission.admit, round_id, upload.body, signature, upload.by)
    if receipt.status == "duplicate":
        response.status_code = 200
    return receipt
