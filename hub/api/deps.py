"""What routes ask for: the services, and who is asking, held to a role and a scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from hub.auth import Claim, Principal
from hub.limits import RateLimits
from hub.services import Services
from skills.errors import SignatureError, TooLargeError, UnauthorizedError
from skills.messages import Role
from skills.signing import RequestProof
from skills.tokens import Scope

__all__ = [
    "API_TOKEN",
    "PROOF",
    "REQUIRED",
    "Admin",
    "AdminReads",
    "AnyLogin",
    "Operator",
    "OperatorReads",
    "Reader",
    "Researcher",
    "Right",
    "Robot",
    "ServicesDep",
    "TokenHolder",
    "UserReads",
    "claimed",
    "count_stranger",
    "counted",
    "identify",
    "known",
    "login",
    "proven",
    "reader",
]

API_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="A user's API token, `zt_...`.")
PROOF = APIKeyHeader(
    name=RequestProof.HEADERS[0],
    auto_error=False,
    scheme_name="proof",
    description=(
        "A robot's id, with `Zunft-Timestamp`, `Zunft-Nonce` and `Zunft-Signature`: Ed25519 over method, "
        "target, body and all of these; see skills/signing.py."
    ),
)


def services_of(request: Request) -> Services:
    """The hub that this request came to."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def caller(
    request: Request,
    services: ServicesDep,
    token: Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN)],
    robot_id: Annotated[str | None, Security(PROOF)],
) -> Principal | None:
    """Who asks; None when nobody claims to. Counted, so that nobody asks too often.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        TooManyRequestsError: More requests than are allowed.
    """
    return await counted(request, identify(request, services, token, robot_id))


async def counted(request: Request, identified: Awaitable[Principal | None]) -> Principal | None:
    """Count whoever is identified.

    A claim is looked at before its caller is counted: wrong ones from an address keep out no right one.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        TooManyRequestsError: More requests than are allowed.
    """
    limits: RateLimits = request.app.state.limits
    try:
        principal = await identified
    except (UnauthorizedError, SignatureError, TooLargeError):
        limits.stranger(_address(request))
        raise
    if principal is None:
        limits.stranger(_address(request))
    else:
        limits.known(principal.actor)
    return principal


async def identify(
    request: Request, services: Services, token: HTTPAuthorizationCredentials | None, robot_id: str | None
) -> Principal | None:
    """Who asks; None when nobody claims to.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
    """
    if robot_id is not None:
        claim = await claimed(request, services)
        return await proven(request, services, claim, await request.body())
    if token is not None:
        return await run_in_threadpool(services.authenticator.user, token.credentials)
    return None


async def claimed(request: Request, services: Services) -> Claim:
    """The robot that says to have sent this; its body is not read yet.

    Raises:
        UnauthorizedError: See `Authenticator.claim`.
    """
    return await run_in_threadpool(services.authenticator.claim, _read_proof(request))


async def proven(request: Request, services: Services, claim: Claim, body: bytes) -> Principal:
    """The robot that signed this request with this body.

    Raises:
        SignatureError, UnauthorizedError: See `Authenticator.robot`.
    """
    return await run_in_threadpool(
        services.authenticator.robot, claim, method=request.method, target=_target(request), body=body
    )


async def count_stranger(request: Request) -> None:
    """Of a route that asks nobody who it is.

    Raises:
        TooManyRequestsError: More requests than are allowed.
    """
    limits: RateLimits = request.app.state.limits
    limits.stranger(_address(request))


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


Caller = Annotated[Principal | None, Depends(caller)]


def login(principal: Caller) -> Principal:
    """Anybody who is known and may look.

    Raises:
        UnauthorizedError: Nobody claims to ask.
        ForbiddenError: The token is not for looking.
    """
    found = known(principal)
    found.must_have("read")
    return found


AnyLogin = Annotated[Principal, Depends(login)]


def reader(principal: Caller, services: ServicesDep) -> Principal | None:
    """Anybody at all while the catalogue is public."""
    return None if principal is None and services.settings.public_catalogue else login(principal)


def known(principal: Principal | None) -> Principal:
    """Whoever asks, if it is anybody.

    Raises:
        UnauthorizedError: Nobody claims to ask.
    """
    if principal is None:
        raise UnauthorizedError(
            "this needs a login.",
            where="Authorization",
            remedy="Send `Authorization: Bearer zt_...`, or as a robot the signed Zunft-... headers.",
        )
    return principal


@dataclass(frozen=True)
class Right:
    """What a dependency asks for, see `hub.api.doors`."""

    role: Role
    scope: Scope


REQUIRED: dict[Callable[..., object], Right] = {}
"""Dependencies that hold their caller to a role and a scope."""


def _require(role: Role, scope: Scope) -> Callable[[Caller], Principal]:
    def require(principal: Caller) -> Principal:
        found = known(principal)
        found.must_be(role, scope)
        return found

    REQUIRED[require] = Right(role, scope)
    return require


Reader = Annotated[Principal | None, Depends(reader)]
Robot = Annotated[Principal, Depends(_require("robot", "read"))]
UserReads = Annotated[Principal, Depends(_require("researcher", "read"))]
Researcher = Annotated[Principal, Depends(_require("researcher", "publish"))]
TokenHolder = Annotated[Principal, Depends(_require("researcher", "tokens"))]
OperatorReads = Annotated[Principal, Depends(_require("operator", "read"))]
Operator = Annotated[Principal, Depends(_require("operator", "operate"))]
AdminReads = Annotated[Principal, Depends(_require("admin", "read"))]
Admin = Annotated[Principal, Depends(_require("admin", "administer"))]


def _read_proof(request: Request) -> RequestProof:
    robot_id, timestamp, nonce, signature = (request.headers.get(name, "") for name in RequestProof.HEADERS)
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise UnauthorizedError(
            "not Unix seconds.", where="Zunft-Timestamp", remedy="Send the robot's clock in whole seconds."
        )
    return RequestProof(robot_id, int(timestamp), nonce, signature)


def _target(request: Request) -> str:
    """Path and query exactly as they were sent: that is what the robot signed."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")
