"""The event stream (server-sent events), resumable by `Last-Event-ID`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hub.api.deps import AnyLogin, ServicesDep
from hub.api.doors import SEEN_LISTED
from hub.api.errors import refusals
from hub.events import audience, hear

__all__ = ["router"]

router = APIRouter(tags=["events"])

LARGEST_ID = 2**63 - 1
PROOF_SECONDS = 5.0  # a listener whose token was revoked hears nothing that comes later than that
LONGEST_WAIT = 60.0  # seconds without a look at the log; FastAPI keeps the connection alive meanwhile


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses=refusals(401, 403),
    openapi_extra=SEEN_LISTED,
)
async def stream_events(
    services: ServicesDep,
    listener: AnyLogin,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LARGEST_ID, description="The last number that was seen.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="The same for a first request; 0 tells all.")
    ] = None,
) -> AsyncIterable[ServerSentEvent]:
    """What one may see of what happens, from now on or from after a number; ends with hub or login."""
    last = last_event_id if last_event_id is not None else after
    if last is None:
        last = await run_in_threadpool(services.events.last)
    looked = time.monotonic()
    while not services.bell.closed:
        seen = services.bell.rings
        if time.monotonic() - looked > PROOF_SECONDS:
            looked = time.monotonic()
            if not await run_in_threadpool(services.authenticator.still_holds, listener):
                return
        heard = hear(await services.news.ask((last, audience(listener))), listener)
        last = heard.last
        for event in heard.events:
            yield ServerSentEvent(event=event.kind, id=str(event.id), data=event)
        if not heard.events:
            await services.bell.wait_async(seen, LONGEST_WAIT)
