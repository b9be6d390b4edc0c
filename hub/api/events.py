"""The event stream (server-sent events), resumable by `Last-Event-ID`.

Thousands may listen: what is new is read and encoded once for all who have heard the same so far.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT

from hub.api.deps import AnyLogin, ServicesDep
from hub.api.errors import refusals
from hub.services import Services

__all__ = ["router"]

router = APIRouter(tags=["events"])

KIND = "text/event-stream"
STREAM = "Server-sent events: the kind, an `Event` as JSON, and its number."
LARGEST_ID = 2**63 - 1
LONGEST_SILENCE = 15.0  # seconds, after which a comment keeps proxies from closing the connection
HEADERS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}  # the latter keeps nginx from collecting events


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={
        200: {"content": {KIND: {"schema": {"type": "string"}}}, "description": STREAM},
        **refusals(401),
    },
)
async def stream_events(
    services: ServicesDep,
    _: AnyLogin,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=LARGEST_ID, description="The last number that was seen.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=LARGEST_ID, description="The same for a first request; 0 tells all.")
    ] = None,
) -> StreamingResponse:
    """What happens from now on, or from after a number; never ends but with the hub."""
    last = last_event_id if last_event_id is not None else after
    if last is None:
        last = await run_in_threadpool(services.events.last)
    return StreamingResponse(_stream(services, last), media_type=KIND, headers=HEADERS)


async def _stream(services: Services, last: int) -> AsyncIterator[bytes]:
    # FastAPI's own generator routes take two tasks and a timer for each listener, and several times as long.
    while not services.bell.closed:
        seen = services.bell.rings
        news = await services.news.ask(last)
        if news.text:
            last = news.last
            yield news.text
        elif not await services.bell.wait_async(seen, LONGEST_SILENCE):
            yield KEEPALIVE_COMMENT
