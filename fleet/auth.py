"""Who asks, on every request to a hub: a robot by its signature, a user by a token.

The signature is RFC 9421's, made by a library of that; which shape of it a hub takes is `skills.proof`'s.
What a hub makes of it is `hub.access.authenticator`'s; what is asked, `fleet.client`'s.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from http_message_signatures import HTTPMessageSigner
from http_message_signatures.algorithms import ED25519

from skills.proof import COVERED
from skills.signing import SigningKey

__all__ = ["ProofAuth", "TokenAuth", "signed_headers"]

LABEL = "zunft"
SIGNER = HTTPMessageSigner(signature_algorithm=ED25519)


@dataclass
class _Message:
    """A request as the library sees it; its host is never signed."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)


def signed_headers(
    key: SigningKey, *, robot_id: str, method: str, target: str, body: bytes, created: int, nonce: str
) -> dict[str, str]:
    """The headers that prove a request, the digest of its body among them where it has one.

    Args:
        key: The robot's.
        robot_id: Under which the hub knows that key.
        method: Of HTTP.
        target: Path and query as sent.
        body: All of it.
        created: Unix seconds.
        nonce: 8 to 64 characters, never used before.
    """
    message = _Message(method.upper(), "http://hub" + target)
    prepared = SIGNER.prepare(
        message,
        key_id=robot_id,
        created=datetime.fromtimestamp(created, UTC),
        nonce=nonce,
        label=LABEL,
        covered_component_ids=COVERED,
        body=body or None,
    )
    SIGNER.apply(message, prepared, base64.b64decode(key.sign(prepared.signature_base)))
    return message.headers


@dataclass
class ProofAuth(httpx.Auth):
    """Signs each request with the robot's key, over a nonce that is never used again."""

    robot_id: str
    key: SigningKey
    clock: Callable[[], float] = time.time
    nonce: Callable[[], str] = secrets.token_urlsafe
    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the proof's headers."""
        proof = signed_headers(
            self.key,
            robot_id=self.robot_id,
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            body=request.content,
            created=int(self.clock()),
            nonce=self.nonce(),
        )
        request.headers.update(proof)
        yield request


@dataclass
class TokenAuth(httpx.Auth):
    """Shows a user's API token; its representation does not."""

    token: str = field(repr=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the bearer header."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request
