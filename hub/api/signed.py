"""Requests of robots: the signature is verified before the body is read, the body when it was.

Routes of this kind do so themselves: FastAPI reads the body of a message before it asks any dependency.
What the signature covers is `skills.proof`'s; who must be known for which route, `hub.api.deps`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from hub.access.authenticator import Signed
from hub.access.principal import Principal
from hub.api.rate_limits import RateLimits
from hub.services import Services
from skills.container import digest_of
from skills.errors import SignatureError, UnauthorizedError
from skills.proof import DIGEST, INPUT, NOTHING, SIGNATURE, RequestProof

__all__ = ["SignedRoute", "check_body", "declare_headers", "note_known", "note_stranger", "signed_request"]

HEADERS = {
    SIGNATURE: "A robot's: Ed25519 over what `Signature-Input` says (RFC 9421), as docs/format.md has it.",
    DIGEST: "A robot's, where it sends a body: the body's SHA-256 (RFC 9530).",
}
"""What comes with `Signature-Input`, which the API description has as the key of `proof`."""


class SignedRoute(APIRoute):
    """A route that reads no body of a robot's before it knows whose it is, and leaves no file of it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What serves a request."""
        serve = super().get_route_handler()

        async def handle(request: Request) -> Response:
            if INPUT in request.headers:
                await _verify(request)
            try:
                return await serve(request)
            finally:
                incoming = getattr(request.state, "incoming", None)
                if incoming is not None:
                    incoming.file.remove()

        return handle


async def signed_request(request: Request) -> Signed:
    """The robot that signed this request, the body included; files are compared when they are read.

    Raises:
        SignatureError: It signed another body.
    """
    if getattr(request.state, "incoming", None) is None:
        check_body(request, digest_of(await request.body()) if _has_body(request) else NOTHING)
    signed: Signed = request.state.signed
    return signed


def check_body(request: Request, digest: str) -> None:
    """Hold a body to the digest that its robot signed; users' bodies have none.

    Raises:
        SignatureError: It signed another body.
    """
    proof: RequestProof | None = getattr(request.state, "proof", None)
    if proof is not None:
        proof.check_body(digest)


def note_known(request: Request, principal: Principal) -> None:
    """Count a request of somebody who has proven who it is.

    Raises:
        TooManyRequestsError: Too many of this one.
    """
    _limits(request).known(principal.actor)
    request.state.organisation = principal.organisation  # for whoever reads the body


def note_stranger(request: Request) -> None:
    """Count a request without credentials or with wrong ones.

    Raises:
        TooManyRequestsError: Too many from this address.
    """
    _limits(request).stranger(request.client.host if request.client else "")


def declare_headers(app: FastAPI, scheme: str) -> None:
    """Have the app's description name all headers of a signature, wherever the scheme with this name does."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for methods in plain()["paths"].values():
                for operation in methods.values():
                    if {scheme: []} in operation.get("security", []):
                        _declare(operation)
        return plain()

    app.openapi = described  # type: ignore[method-assign] # FastAPI's own way to extend it


def _declare(operation: dict[str, Any]) -> None:
    wanted = [SIGNATURE, DIGEST] if "requestBody" in operation else [SIGNATURE]
    operation["parameters"] = operation.get("parameters", []) + [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": HEADERS[name],
            "schema": {"type": "string"},  # no pattern: of who sends no `Signature-Input` nobody reads it
        }
        for name in wanted
    ]


async def _verify(request: Request) -> None:
    """Find out which robot signed this request, and count it before anything is written for it.

    A claim is looked at before its caller is counted: wrong ones from an address keep out no right one. Who
    is said to ask and has asked too often is refused before that, and not counted for it.

    Raises:
        UnauthorizedError, SignatureError: The claim does not hold.
        TooManyRequestsError: More requests than are allowed.
    """
    services: Services = request.app.state.services
    authenticator = services.access.authenticator
    try:
        claim = await authenticator.claim(RequestProof.read(request.headers))
        _limits(request).expect(claim.principal.actor)
        signed = authenticator.verify(claim, method=request.method, target=_target(request))
    except (UnauthorizedError, SignatureError):
        note_stranger(request)
        raise
    note_known(request, signed.principal)
    request.state.signed, request.state.proof = signed, claim.proof


def _has_body(request: Request) -> bool:
    """Whether anything comes after the headers (RFC 9112, section 6.3)."""
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _limits(request: Request) -> RateLimits:
    limits: RateLimits = request.app.state.limits
    return limits


def _target(request: Request) -> str:
    """Path and query exactly as they were sent: that is what the robot signed."""
    path: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    query: bytes = request.scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")
