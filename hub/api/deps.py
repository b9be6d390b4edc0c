"""What routes ask for: the services, and who is asking, held to a role and a scope.

All of them are coroutines: a dependency that is none takes a trip to a thread with each request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from hub.access.authenticator import Signed
from hub.access.principal import Principal
from hub.api.cookies import SESSION, Browser
from hub.api.signed import note_known, note_stranger, signed_request
from hub.services import Services
from skills.errors import SignatureError, UnauthorizedError
from skills.messages.tokens import Scope
from skills.messages.users import Role
from skills.proof import INPUT

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
    "count_wrong",
    "known",
    "login",
    "reader",
]

API_TOKEN = HTTPBearer(auto_error=False, scheme_name="token", description="A user's API token, `zt_...`.")
PROOF = APIKeyHeader(
    name=INPUT,
    auto_error=False,
    scheme_name="proof",
    description=(
        "A robot's signature by RFC 9421, with `Signature` and, where there is a body, `Content-Digest`; "
        "docs/format.md says over what."
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
    is_signed: bool
    session: str | None = field(repr=False)


async def credentials(
    token: Annotated[HTTPAuthorizationCredentials | None, Security(API_TOKEN)],
    signature: Annotated[str | None, Security(PROOF)],
    session: Annotated[str | None, Security(COOKIE)],
) -> Credentials:
    """What this request shows."""
    return Credentials(token.credentials if token else None, signature is not None, session)


CredentialsDep = Annotated[Credentials, Depends(credentials)]


async def caller(request: Request, services: ServicesDep, shown: CredentialsDep) -> Principal | None:
    """Who asks; None when nobody claims to. Counted, so that nobody asks too often.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        ForbiddenError: Another site sent it with this browser's cookie.
        TooManyRequestsError: More requests than are allowed.
    """
    if shown.is_signed:
        signed = await signed_request(request)
        try:
            return await services.access.authenticator.use(signed)
        except UnauthorizedError:
            note_stranger(request)
            raise
    try:
        principal = await _user(request, services, shown)
    except UnauthorizedError:
        note_stranger(request)
        raise
    if principal is None:
        note_stranger(request)
    else:
        note_known(request, principal)
    return principal


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


async def count_stranger(request: Request) -> None:
    """Of a route that asks nobody who it is.

    Raises:
        TooManyRequestsError: More requests than are allowed.
    """
    note_stranger(request)


async def count_wrong(request: Request) -> AsyncIterator[None]:
    """Of a route whose credentials are in its body: who has wrong ones, or none, is counted once that shows.

    So strangers keep out nobody of their address who has right ones, and what they cost is a look-up.

    Raises:
        TooManyRequestsError: More requests than are allowed.
    """
    try:
        yield
    except (UnauthorizedError, SignatureError, RequestValidationError):
        note_stranger(request)
        raise


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
            remedy="Send `Authorization: Bearer zt_...`, or as a robot a signature; in a browser, sign in.",
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
        """The robot; see `hub.api.signed`.

        Raises:
            UnauthorizedError, SignatureError: Nobody claims to ask, or the claim does not hold.
            ForbiddenError: It is no robot.
            TooManyRequestsError: More requests than are allowed.
        """
        services: Services = request.app.state.services
        if self.model.name in request.headers:
            return await signed_request(request)
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
