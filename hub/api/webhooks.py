"""Routes of webhooks: operators say which systems are told of what happens in the hub."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response

from hub.api.deps import Operator, OperatorReads, ServicesDep
from hub.api.errors import refusals
from hub.api.examples import RedeliverBody, WebhookBody
from hub.api.permissions import OWN_LISTED, heeds
from hub.api.routers import noun_router
from skills.messages.base import API
from skills.messages.lists import ListQuery, Page
from skills.messages.webhooks import DeadLetter, Redelivered, TrialView, WebhookCreated, WebhookView

__all__ = ["router"]

router = noun_router("webhooks")
OURS = heeds(unseen="404", others="404")


@router.post("/webhooks", status_code=201, responses=refusals(401, 403, 409, 413))
def add_webhook(request: WebhookBody, services: ServicesDep, operator: Operator) -> WebhookCreated:
    """Tell an address of what happens from now on; the secret that signs is shown only here."""
    return services.webhooks.registry.add(request, operator)


@router.get("/webhooks", responses=refusals(401, 403), openapi_extra=OWN_LISTED)
def list_webhooks(
    services: ServicesDep, operator: OperatorReads, query: Annotated[ListQuery, Query()]
) -> Page[WebhookView]:
    """The organisation's webhooks, and how they fare."""
    return services.webhooks.registry.webhooks(operator, query)


@router.delete(
    "/webhooks/{webhook_id}", status_code=204, responses=refusals(401, 403, 404), openapi_extra=OURS
)
def remove_webhook(webhook_id: str, services: ServicesDep, operator: Operator) -> None:
    """Tell it nothing more; what it has not taken is forgotten."""
    services.webhooks.registry.remove(webhook_id, operator)


@router.post(
    "/webhooks/{webhook_id}/test",
    status_code=202,
    responses=refusals(401, 403, 404, 409),
    openapi_extra=OURS,
)
def test_webhook(webhook_id: str, response: Response, services: ServicesDep, operator: Operator) -> TrialView:
    """Have one message sent next; `Location` says where to ask what became of it."""
    trial = services.webhooks.registry.test(webhook_id, operator)
    response.headers["Location"] = f"{API}/webhooks/{webhook_id}/test"
    return trial


@router.get("/webhooks/{webhook_id}/test", responses=refusals(401, 403, 404), openapi_extra=OURS)
def show_trial(webhook_id: str, services: ServicesDep, operator: OperatorReads) -> TrialView:
    """What became of the last trial."""
    return services.webhooks.registry.trial(webhook_id, operator)


@router.get("/webhooks/{webhook_id}/dead", responses=refusals(401, 403, 404), openapi_extra=OURS)
def list_dead_letters(
    webhook_id: str, services: ServicesDep, operator: OperatorReads, query: Annotated[ListQuery, Query()]
) -> Page[DeadLetter]:
    """Events that were given up, oldest first."""
    return services.webhooks.registry.dead(webhook_id, operator, query)


@router.post("/webhooks/{webhook_id}/redeliver", responses=refusals(401, 403, 404, 413), openapi_extra=OURS)
def redeliver(
    webhook_id: str, request: RedeliverBody, services: ServicesDep, operator: Operator
) -> Redelivered:
    """Try dead letters again."""
    return services.webhooks.registry.redeliver(webhook_id, request, operator)
