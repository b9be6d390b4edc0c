"""Files that are sent to the hub: how large one may be is looked up before it is read.

The hub's own limits are the routers'. What else an organisation may use is asked when the file is kept, by
`hub.quotas`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import HTTPAuthorizationCredentials

from hub.api.deps import (
    API_TOKEN,
    PROOF,
    REQUIRED,
    Researcher,
    Right,
    ServicesDep,
    claimed,
    counted,
    identify,
    known,
    proven,
)
from hub.auth import Principal
from hub.services import Services
from skills.errors import TooLargeError

__all__ = ["DeltaUpload", "SkillUpload", "Upload"]


@dataclass(frozen=True)
class Upload:
    """A file, and who sent it."""

    by: Principal
    body: bytes


async def skill_upload(request: Request, services: ServicesDep, researcher: Researcher) -> Upload:
    """A researcher's skill.

    Raises:
        TooLargeError: More than the organisation may send; it was not read to its end.
    """
    return Upload(researcher, await _read(request, services, researcher.organisation, "skill"))


async def delta_upload(
    request: Request,
    services: ServicesDep,
    token: Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN)],
    robot_id: Annotated[str | None, Security(PROOF)],
) -> Upload:
    """A robot's delta: whose it claims to be says how much is read, and its proof is over what was read.

    Raises:
        UnauthorizedError, SignatureError, ForbiddenError: Not a robot, or not the one that it claims to be.
        TooLargeError: More than the organisation may send; it was not read to its end.
        TooManyRequestsError: More requests than are allowed.
    """
    body = b""

    async def prove() -> Principal | None:
        nonlocal body
        if robot_id is None:
            return await identify(request, services, token, robot_id)
        claim = await claimed(request, services)
        body = await _read(request, services, claim.principal.organisation, "delta")
        return await proven(request, services, claim, body)

    robot = known(await counted(request, prove()))
    right = REQUIRED[delta_upload]
    robot.must_be(right.role, right.scope)
    return Upload(robot, body)


REQUIRED[delta_upload] = Right("robot", "read")

DeltaUpload = Annotated[Upload, Depends(delta_upload)]
SkillUpload = Annotated[Upload, Depends(skill_upload)]


async def _read(
    request: Request, services: Services, organisation: str, kind: Literal["delta", "skill"]
) -> bytes:
    limit = await run_in_threadpool(services.organisations.body_limit, organisation, kind)
    if limit is None:
        return await request.body()
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and len(announced) < 20 and int(announced) > limit:
        raise _too_large(kind)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise _too_large(kind)
    return bytes(body)


def _too_large(kind: str) -> TooLargeError:
    return TooLargeError(
        f"the {kind} is larger than its organisation may send, and was not read.",
        where="body",
        remedy="Send less, or ask an admin of the hub; zunft organisation show says how much it may be.",
        code=f"quota_{kind}_bytes",
    )
