"""Metrics for Prometheus. They count all organisations' things: for admins, and a token for nothing else."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from hub.api.deps import REQUIRED, CredentialsDep, Right, ServicesDep, caller, known
from hub.api.errors import refusals
from hub.api.signed import SignedRoute

__all__ = ["router"]

router = APIRouter(tags=["health"], route_class=SignedRoute)


async def scraper(request: Request, services: ServicesDep, shown: CredentialsDep) -> None:
    """Who holds the scraper's token, which opens nothing else, or an admin.

    Raises:
        UnauthorizedError, ForbiddenError, SignatureError: Anybody else.
    """
    expected = services.settings.metrics_token.get_secret_value().encode()
    if expected and shown.token is not None and hmac.compare_digest(shown.token.encode(), expected):
        return
    right = REQUIRED[scraper]
    known(await caller(request, services, shown)).must_be(right.role, right.scope)


REQUIRED[scraper] = Right("admin", "read")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/plain": {"schema": {"type": "string"}}},
            "description": "The text format of Prometheus.",
        },
        **refusals(401, 403, 429),
    },
    dependencies=[Depends(scraper)],
)
def show_metrics(request: Request) -> Response:
    """Counters, timings and how the hub stands, for Prometheus."""
    registry: CollectorRegistry = request.app.state.metrics.registry
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
