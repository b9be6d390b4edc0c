"""The event stream (server-sent events), resumable by `Last-Event-ID`."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hub.api.deps import AnyLogin, ServicesDep
from hub.api.errors import refusals

__all__ = ["router"]

router = APIRouter(tags=["events"])

LARGEST_ID = 2**63 - 1
LONGEST_WAIT = 60.0  # seconds without a look at the log; FastAPI keeps the connection alive meanwhile


@router.get("/events", response_class=EventSourceResponse, responses=refusals(401))
async def stream_events(
    services: ServicesDep,
    _: AnyLogin,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LARGEST_ID, description="The last number that was seen.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="The same for a first request; 0 tells all.")
    ] = None,
) -> AsyncIterable[ServerSentEvent]:
    """What happens from now on, or from after a number; never ends but with the hub."""
    last = last_event_id if last_event_id is not None else after
    if last is None:
        last = await run_in_threadpool(services.events.last)
    while not services.bell.closed:
        seen = services.bell.rings
        events = await services.news.ask(last)
        for event in events:
            last = event.id
            yield ServerSentEvent(event=event.kind, id=str(event.id), data=event)
        if not events:
            await services.bell.wait_async(seen, LONGEST_WAIT)
