"""Who asks, on every request to a hub: a robot by its signature, a user by a token.

What a hub makes of it is `hub.access.authenticator`'s; what is asked, `fleet.client`'s.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import httpx

from skills.signing import RequestProof, SigningKey

__all__ = ["ProofAuth", "TokenAuth"]


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
        proof = RequestProof.sign(
            self.key,
            robot_id=self.robot_id,
            method=request.method,
            target=request.url.raw_path.decode("ascii"),
            body=request.content,
            timestamp=int(self.clock()),
            nonce=self.nonce(),
        )
        request.headers.update(proof.to_headers())
        yield request


@dataclass
class TokenAuth(httpx.Auth):
    """Shows a user's API token; its representation does not."""

    token: str = field(repr=False)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the bearer header."""
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request
