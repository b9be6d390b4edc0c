"""Routes of rounds: robots bring deltas, whoever sees the skill looks."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Header, Request, Response

from hub.api.bodies import File, heavy_lifting, takes
from hub.api.deps import AnyLogin, ServicesDep, SignedRobot
from hub.api.errors import refusals
from hub.api.permissions import SEEN
from hub.api.routers import noun_router
from skills.messages.base import DELTA_SIGNATURE_HEADER
from skills.messages.rounds import DeltaReceipt, RoundView

__all__ = ["router"]

router = noun_router("rounds")


@router.get("/rounds/{round_id}", responses=refusals(401, 403, 404), openapi_extra=SEEN)
def show_round(round_id: str, services: ServicesDep, viewer: AnyLogin) -> RoundView:
    """A round, and in words why it is where it is."""
    return services.rounds.campaigns.round(round_id, viewer)


@router.post(
    "/rounds/{round_id}/deltas",
    status_code=201,
    response_model=DeltaReceipt,
    **takes("delta", "A delta file, see docs/format.md.", **SEEN),
    responses={
        200: {"model": DeltaReceipt, "description": "It was here already; it counts once."},
        **refusals(401, 403, 404, 409, 413, 503),
    },
)
async def push_delta(
    round_id: str,
    request: Request,
    services: ServicesDep,
    signed: SignedRobot,
    file: File,
    signature: Annotated[
        str,
        Header(alias=DELTA_SIGNATURE_HEADER, max_length=128, description="Base64 Ed25519 over the file."),
    ],
) -> Response:
    """Bring what this robot learned. The answer comes when the delta is safe on disk."""
    lift = partial(heavy_lifting, request, file.size)
    receipt = await services.deltas.admission.take(round_id, file, signature, signed, lift)
    status = 200 if receipt.status == "duplicate" else 201
    return Response(receipt.model_dump_json(), status, media_type="application/json")
