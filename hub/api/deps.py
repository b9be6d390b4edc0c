"""What routes ask for: the services, and who is asking, held to a role and a scope.

All of them are coroutines: a dependency that is none takes a trip to a thread with each request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from hub.access.authenticator import Signed
from hub.access.principal import Principal
from hub.api.bodies import body_digest
from hub.api.cookies import SESSION, Browser
from hub.api.rate_limits import RateLimits
from hub.services import Services
from skills.errors import SignatureError, TooLargeError, UnauthorizedError
from skills.messages.tokens import Scope
from skills.messages.users import Role
from skills.signing import RequestProof

__all__ = [
    "REQUIRED",
    "Admin",
    "AdminReads",
    "AnyLogin",
    "Bringer",
    "BrowserDep",
    "Operator",
    "OperatorReads",
    "Reader",
    "Researcher",
    "Robot",
    "ServicesDep",
    "SignedRobot",
    "TokenHolder",
    "UserReads",
    "bring",
    "count_stranger",
    "known",
    "login",
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


async def services_of(request: Request) -> Services:
    """The hub that this request came to."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def browser_of(request: Request, services: ServicesDep) -> Browser:
    """Whoever asks, as far as cookies are concerned."""
    return Browser(request, services.settings)


BrowserDep = Annotated[Browser, Depends(browser_of)]


class SessionCookie(APIKeyCookie):
    """Finds the session's secret under the name that the cookie has on this line."""

    async def __call__(self, request: Request) -> str | None:  # type: ignore[override] # never a socket
        """The secret, if there is one."""
        services: Services = request.app.state.services
        return Browser(request, services.settings).read(SESSION) or None


COOKIE = SessionCookie(
    name=SESSION,
    auto_error=False,
    scheme_name="session",
    description=f"A browser's session; over TLS its name is `__Host-{SESSION}`. See docs/security.md.",
)


@dataclass(frozen=True)
class Credentials:
    """What a request shows of who sent it; nothing of it is proven yet."""

    token: str | None = field(repr=False)
    robot_id: str | None
    session: str | None = field(repr=False)


async def credentials(
    token: Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN)],
    robot_id: Annotated[str | None, Security(PROOF)],
    session: Annotated[str | None, Security(COOKIE)],
) -> Credentials:
    """What this request shows."""
    return Credentials(token.credentials if token else None, robot_id, session)


CredentialsDep = Annotated[Credentials, Depends(credentials)]


async def caller(request: Request, services: ServicesDep, shown: CredentialsDep) -> Principal | None:
    """Who asks; None when nobody claims to. Counted, so that nobody asks too often.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        ForbiddenError: Another site sent it with this browser's cookie.
        TooManyRequestsError: More requests than are allowed.
    """
    if shown.robot_id is not None:
        signed = await _signed(request, services)
        try:
            return await services.access.authenticator.use(signed)
        except UnauthorizedError:
            _count_stranger(request)
            raise
    try:
        principal = await _user(request, services, shown)
    except UnauthorizedError:
        _count_stranger(request)
        raise
    if principal is None:
        _count_stranger(request)
    else:
        _count_known(request, principal)
    return principal


async def _signed(request: Request, services: Services) -> Signed:
    """The robot that signed this request, counted before anything is written for it.

    A claim is looked at before its caller is counted: wrong ones from an address keep out no right one. Who
    is said to ask and has asked too often is refused before the body is read, and not counted for that.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        TooManyRequestsError: More requests than are allowed.
    """
    limits: RateLimits = request.app.state.limits
    try:
        claim = await services.access.authenticator.claim(_read_proof(request))
        limits.expect(claim.principal.actor)
        digest = await body_digest(request, claim.principal.organisation)
        signed = services.access.authenticator.verify(
            claim, method=request.method, target=_target(request), body_digest=digest
        )
    except (UnauthorizedError, SignatureError, TooLargeError):
        _count_stranger(request)
        raise
    _count_known(request, signed.principal)
    return signed


async def _user(request: Request, services: Services, shown: Credentials) -> Principal | None:
    """Who asks and is no robot; a token goes before a session.

    Raises:
        UnauthorizedError: The claim does not hold.
        ForbiddenError: Another site sent it with this browser's cookie.
    """
    if shown.token is not None:
        return await run_in_threadpool(services.access.authenticator.user, shown.token)
    if shown.session is not None:
        principal = await run_in_threadpool(services.access.sessions.principal, shown.session)
        Browser(request, services.settings).check_origin()
        return principal
    return None


def _count_known(request: Request, principal: Principal) -> None:
    limits: RateLimits = request.app.state.limits
    limits.known(principal.actor)
    request.state.organisation = principal.organisation  # for whoever reads the body


def _count_stranger(request: Request) -> None:
    limits: RateLimits = request.app.state.limits
    limits.stranger(_address(request))


async def count_stranger(request: Request) -> None:
    """Of a route that asks nobody who it is.

    Raises:
        TooManyRequestsError: More requests than are allowed.
    """
    _count_stranger(request)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


Caller = Annotated[Principal | None, Depends(caller)]


async def login(principal: Caller) -> Principal:
    """Anybody who is known and may look.

    Raises:
        UnauthorizedError: Nobody claims to ask.
        ForbiddenError: The token is not for looking.
    """
    found = known(principal)
    found.must_have("read")
    return found


AnyLogin = Annotated[Principal, Depends(login)]


async def reader(principal: Caller, services: ServicesDep) -> Principal | None:
    """Anybody at all while the catalogue is public."""
    return None if principal is None and services.settings.public_catalogue else await login(principal)


def known(principal: Principal | None) -> Principal:
    """Whoever asks, if it is anybody.

    Raises:
        UnauthorizedError: Nobody claims to ask.
    """
    if principal is None:
        raise UnauthorizedError(
            "this needs a login.",
            where="Authorization",
            remedy="Send `Authorization: Bearer zt_...`, or as a robot the signed Zunft-... headers; in a "
            "browser, sign in.",
        )
    return principal


@dataclass(frozen=True)
class Right:
    """What a dependency asks for, see `hub.api.permissions`."""

    role: Role
    scope: Scope


REQUIRED: dict[Callable[..., object], Right] = {}
"""Dependencies that hold their caller to a role and a scope."""


def _require(role: Role, scope: Scope) -> Callable[[Caller], Awaitable[Principal]]:
    async def require(principal: Caller) -> Principal:
        found = known(principal)
        found.must_be(role, scope)
        return found

    REQUIRED[require] = Right(role, scope)
    return require


async def bring(principal: Caller) -> Principal:
    """Whoever brings files in parts: robots bring deltas, researchers skills.

    Raises:
        UnauthorizedError: Nobody claims to ask.
        ForbiddenError: The token is not for publishing.
    """
    found = known(principal)
    if found.role != "robot":
        found.must_be("researcher", "publish")
    return found


Bringer = Annotated[Principal, Depends(bring)]
Reader = Annotated[Principal | None, Depends(reader)]
Robot = Annotated[Principal, Depends(_require("robot", "read"))]
UserReads = Annotated[Principal, Depends(_require("researcher", "read"))]
Researcher = Annotated[Principal, Depends(_require("researcher", "publish"))]
TokenHolder = Annotated[Principal, Depends(_require("researcher", "tokens"))]
OperatorReads = Annotated[Principal, Depends(_require("operator", "read"))]
Operator = Annotated[Principal, Depends(_require("operator", "operate"))]
AdminReads = Annotated[Principal, Depends(_require("admin", "read"))]
Admin = Annotated[Principal, Depends(_require("admin", "administer"))]


class SignedBy(APIKeyHeader):
    """A robot's signature, for routes that use the nonce up together with what else they write.

    It does in one step what `Robot` does in several, because these routes are asked more often than all
    others together.
    """

    async def __call__(self, request: Request) -> Signed:  # type: ignore[override] # never a socket
        """The robot; see `_signed`.

        Raises:
            UnauthorizedError, SignatureError: Nobody claims to ask, or the claim does not hold.
            ForbiddenError: It is no robot.
            TooManyRequestsError: More requests than are allowed.
        """
        services: Services = request.app.state.services
        if self.model.name in request.headers:
            return await _signed(request, services)
        shown = await credentials(await API_TOKEN(request), None, await COOKIE(request))
        principal = known(await caller(request, services, shown))
        principal.must_be("robot", "read")
        raise AssertionError(principal)  # no user is a robot


SIGNED = SignedBy(
    name=PROOF.model.name,
    auto_error=False,
    scheme_name=PROOF.scheme_name,
    description=PROOF.model.description,
)
REQUIRED[SIGNED] = Right("robot", "read")
SignedRobot = Annotated[Signed, Security(SIGNED)]


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
