"""Files in request bodies: onto disk while they come, hashed, never whole in memory.

A route that takes a file says so with `takes`, gets it as `File` after it is known who sends it, and hands it
on with `take_in`. How large it may be is the hub's limit for its kind and, where that is less, the
organisation's; what the file is, the service's business. Bodies that are no files are the app's to limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import anyio
from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from envs.bundle import TOTAL_LIMIT
from hub.api.errors import too_large
from hub.api.signed import check_body
from hub.services import Services
from hub.storage.objects.contract import PIECE
from hub.storage.spool import SpoolFile
from skills.errors import TooLargeError
from skills.messages.base import BLOB

__all__ = [
    "FILE",
    "File",
    "heavy_lifting",
    "take_in",
    "takes",
]

T = TypeVar("T")
Kind = Literal["delta", "skill", "part", "task"]
FILE = {"schema": {"type": "string", "format": "binary"}}
"""A file's bytes in the API description."""

HEAVY = 2**24  # bytes
NO_MESSAGE = 2**62
"""Bytes: the app's limit for messages is none of a file's."""
AT_ONCE = 2
"""Large files that are looked at at the same time: each keeps a core busy."""


class _Incoming:
    """The body of one request and the file that it goes into."""

    def __init__(self, file: SpoolFile, kind: Kind) -> None:
        self.file = file
        self._kind = kind

    async def receive(self, request: Request, organisation: str) -> SpoolFile:
        """The file, once all of it has come.

        Raises:
            TooLargeError: More than the organisation may send; it was not read to its end.
            SignatureError: Its robot signed another one.
        """
        limit, refuse = await self._limit(request, organisation)
        announced = request.headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > limit:
            raise refuse
        async for piece in request.stream():
            if self.file.size + len(piece) > limit:
                raise refuse
            if self.file.held + len(piece) < PIECE:
                self.file.write(piece)
            else:
                await run_in_threadpool(self.file.write, piece)
        check_body(request, self.file.digest)
        return self.file

    async def _limit(self, request: Request, organisation: str) -> tuple[int, TooLargeError]:
        """Bytes that may come, and the refusal of more."""
        services: Services = request.app.state.services
        hubs = too_large()
        match self._kind:
            case "part":  # a whole was announced, and held to the organisation's limit then
                return services.deltas.uploads.largest_part, hubs
            case "task":
                return TOTAL_LIMIT, hubs
            case "delta":
                limit = services.settings.delta_limit
            case "skill":
                limit = services.settings.skill_limit
        own = await services.organisations.registry.body_limit_async(organisation, self._kind)
        return (limit, hubs) if own is None or limit <= own else (own, self._of_organisation())

    def _of_organisation(self) -> TooLargeError:
        return TooLargeError(
            f"the {self._kind} is larger than its organisation may send, and was not read.",
            where="body",
            remedy="Send less, or ask an admin of the hub; zunft organisation show says how much it may be.",
            code=f"quota_{self._kind}_bytes",
        )


def takes(kind: Kind, what: str, **described: str) -> dict[str, Any]:
    """What a route is declared with whose body is a file, and what else its description says."""

    async def expect(request: Request) -> None:
        """Have a file ready for the body; it is gone when the answer is, see `hub.api.signed`."""
        services: Services = request.app.state.services
        request.state.incoming = _Incoming(services.storage.spool.new_file(), kind)

    body = {"content": {BLOB: FILE}, "required": True, "description": what}
    return {
        "dependencies": [Depends(expect)],
        "openapi_extra": {"requestBody": body, **described},
        "max_body_size": NO_MESSAGE,
    }


async def received_file(request: Request) -> SpoolFile:
    """The request's body; asked for after the caller's role, so that nobody else's is read."""
    incoming: _Incoming = request.state.incoming
    return await incoming.receive(request, request.state.organisation)


File = Annotated[SpoolFile, Depends(received_file)]


async def take_in(
    request: Request, response: Response, size: int, work: Callable[..., tuple[T, bool]], *arguments: Any
) -> T:
    """Have a service take in a file of this size: the answer is 200 where it says that it had it already."""
    done, is_new = await heavy_lifting(request, size, work, *arguments)
    if not is_new:
        response.status_code = 200
    return done


async def heavy_lifting(request: Request, size: int, work: Callable[..., T], *arguments: Any) -> T:
    """Do work on a file of this size in a thread; of large ones few at once, the others wait without one."""
    if size < HEAVY:
        return await run_in_threadpool(work, *arguments)
    limiter: anyio.CapacityLimiter = request.app.state.heavy
    return await anyio.to_thread.run_sync(lambda: work(*arguments), limiter=limiter)
