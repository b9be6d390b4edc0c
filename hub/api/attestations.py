"""Routes of attestations: who vouches for what of a version."""

from __future__ import annotations

from fastapi import Depends, Response

from hub.api.deps import Reader, Researcher, ServicesDep, reader
from hub.api.errors import refusals
from hub.api.examples import ScoreAttestationBody
from hub.api.permissions import SEEN
from hub.api.routers import noun_router
from skills.attestations import ENVELOPE_TYPE
from skills.messages.attestations import AttestationView, GateKey

__all__ = ["router"]

router = noun_router("attestations")
ENVELOPE = {"schema": {"type": "object"}}


@router.get("/gate-key", responses=refusals(401, 403), dependencies=[Depends(reader)])
def show_gate_key(services: ServicesDep) -> GateKey:
    """The public key with which the gate signs what it found, signed by the hub's own."""
    return services.attestations.vouchers.gate_key_signed()


@router.get(
    "/skills/{name}/versions/{ref}/attestations", responses=refusals(401, 403, 404), openapi_extra=SEEN
)
def list_attestations(name: str, ref: str, services: ServicesDep, viewer: Reader) -> list[AttestationView]:
    """What vouches for a version, the newest first: its merge, what the gate found, who released it."""
    return services.attestations.vouchers.of(services.catalogue.skills.version(name, ref, viewer))


@router.post(
    "/skills/{name}/versions/{ref}/attestations",
    status_code=201,
    responses={
        200: {"model": AttestationView, "description": "It was here already."},
        **refusals(401, 403, 404, 409, 413, 503),
    },
    openapi_extra=SEEN,
)
def attest_score(
    name: str,
    ref: str,
    score: ScoreAttestationBody,
    response: Response,
    services: ServicesDep,
    researcher: Researcher,
) -> AttestationView:
    """Hand in what one scored of a version, signed: the leaderboard shows who confirms its score."""
    take = services.leaderboards.confirmations.take
    kept, is_new = take(name, ref, score.envelope, by=researcher)
    if not is_new:
        response.status_code = 200
    return kept


@router.get(
    "/skills/{name}/versions/{ref}/attestations/{digest}",
    response_class=Response,
    responses={
        200: {"content": {ENVELOPE_TYPE: ENVELOPE}, "description": "The DSSE envelope, as it was signed."},
        **refusals(401, 403, 404),
    },
    openapi_extra=SEEN,
)
def fetch_attestation(name: str, ref: str, digest: str, services: ServicesDep, viewer: Reader) -> Response:
    """One envelope: an in-toto statement, see docs/format.md."""
    version = services.catalogue.skills.version(name, ref, viewer)
    envelope = services.attestations.vouchers.envelope(version, digest)
    return Response(envelope, media_type=ENVELOPE_TYPE)
