"""Files in request bodies: onto disk while they come, hashed, never whole in memory.

A route that takes a file depends on `expect_file` and then gets it as `File`, after it is known who sends
it. How large a body may be is the router's limit; what the file is, the service's business.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypeVar

import anyio
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool

from hub.services import Services
from hub.spool import SpoolFile
from hub.store.contract import PIECE
from skills.container import digest_of

__all__ = ["FILE", "File", "body_digest", "expect_file", "heavy_lifting"]

T = TypeVar("T")
FILE = {"schema": {"type": "string", "format": "binary"}}
"""A file's bytes in the API description."""

HEAVY = 2**24  # bytes
AT_ONCE = 2
"""Large files that are looked at at the same time: each keeps a core busy."""


class _Incoming:
    """The body of one request and the file that it goes into."""

    def __init__(self, file: SpoolFile) -> None:
        self.file = file
        self._is_here = False

    async def receive(self, request: Request) -> SpoolFile:
        """The file, once all of it has come."""
        if not self._is_here:
            self._is_here = True
            held = bytearray()
            async for piece in request.stream():
                held += piece
                if len(held) >= PIECE:
                    await run_in_threadpool(self.file.write, bytes(held))
                    held.clear()
            await run_in_threadpool(self.file.write, bytes(held))
        return self.file


async def expect_file(request: Request) -> AsyncIterator[None]:
    """Have a file ready for the body; it is gone when the answer is."""
    services: Services = request.app.state.services
    with services.spool.file() as file:
        request.state.incoming = _Incoming(file)
        yield


async def received_file(request: Request) -> SpoolFile:
    """The request's body; asked for after the caller's role, so that nobody else's is read."""
    incoming: _Incoming = request.state.incoming
    return await incoming.receive(request)


File = Annotated[SpoolFile, Depends(received_file)]


async def body_digest(request: Request) -> str:
    """Of the body, whichever way it is read: what a robot has signed."""
    incoming: _Incoming | None = getattr(request.state, "incoming", None)
    if incoming is None:
        return digest_of(await request.body())
    return (await incoming.receive(request)).digest


async def heavy_lifting(request: Request, size: int, work: Callable[..., T], *arguments: Any) -> T:
    """Do work on a file of this size in a thread; of large ones few at once, the others wait without one."""
    if size < HEAVY:
        return await run_in_threadpool(work, *arguments)
    limiter: anyio.CapacityLimiter = request.app.state.heavy
    return await anyio.to_thread.run_sync(lambda: work(*arguments), limiter=limiter)
