"""The event stream (server-sent events), resumable by `Last-Event-ID`."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from hub.access.principal import Principal
from hub.api.deps import AnyLogin, ServicesDep
from hub.api.errors import refusals
from hub.api.permissions import SEEN_LISTED
from hub.api.routers import noun_router
from hub.events.log import audience, news
from hub.services import Services
from skills.messages.events import Event
from skills.messages.lists import EventQuery, Page

__all__ = ["router"]

router = noun_router("events")

KIND = "text/event-stream"
STREAM = "Server-sent events: the kind, an `Event` as JSON, and its number."
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""The latter keeps nginx from collecting events."""
LARGEST_ID = 2**63 - 1
PROOF_SECONDS = 5.0  # a listener whose token was revoked hears nothing that comes later than that
LONGEST_SILENCE = 15.0  # seconds, after which a comment keeps proxies from closing the connection


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {KIND: {"schema": {"type": "string"}}}, "description": STREAM},
        **refusals(401, 403),
    },
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
) -> StreamingResponse:
    """What one may see of what happens, from now on or from after a number; ends with hub or login."""
    last = last_event_id if last_event_id is not None else after
    if last is None:
        last = await run_in_threadpool(services.events.log.last)
    return StreamingResponse(_stream(services, listener, last), media_type=KIND, headers=HEADERS)


@router.get("/events/past", responses=refusals(401, 403), openapi_extra=SEEN_LISTED)
def list_events(
    services: ServicesDep, viewer: AnyLogin, query: Annotated[EventQuery, Query()]
) -> Page[Event]:
    """What one may see of what happened, newest first."""
    return services.events.log.past(viewer, query)


async def _stream(services: Services, listener: Principal, last: int) -> AsyncIterator[bytes]:
    # FastAPI's own generator routes take two tasks and a timer for each listener, and several times as long.
    looked = time.monotonic()
    while not services.storage.bell.closed:
        seen = services.storage.bell.rings
        if time.monotonic() - looked > PROOF_SECONDS:
            looked = time.monotonic()
            if not await run_in_threadpool(services.access.authenticator.still_holds, listener):
                return
        told = await services.events.news.ask((last, audience(listener)))
        last = told.last
        text = news(told, listener)
        if text:
            yield text
        elif not await services.storage.bell.wait_async(seen, LONGEST_SILENCE):
            yield KEEPALIVE_COMMENT
