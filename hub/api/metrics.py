"""Metrics for Prometheus. For operators, and for a scraper that has a token for nothing else."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from hub.api.deps import API_TOKEN, COOKIE, PROOF, REQUIRED, ServicesDep, caller, known
from hub.api.errors import refusals

__all__ = ["router"]

router = APIRouter(tags=["health"])


async def scraper(
    request: Request,
    services: ServicesDep,
    token: Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN)],
    robot_id: Annotated[str | None, Security(PROOF)],
    session: Annotated[str | None, Security(COOKIE)],
) -> None:
    """Who holds the scraper's token, or an operator.

    Raises:
        UnauthorizedError, ForbiddenError, SignatureError: Anybody else.
    """
    expected = services.settings.metrics_token.get_secret_value().encode()
    if expected and token is not None and hmac.compare_digest(token.credentials.encode(), expected):
        return
    known(await caller(request, services, token, robot_id, session)).must_be("operator")


REQUIRED[scraper] = "operator"


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
