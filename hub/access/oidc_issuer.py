"""An OpenID Connect issuer: where it lets people sign in, and whether what it then says is true.

Authorization code flow with PKCE (RFC 7636), state and nonce; the ID token must be signed by a key of the
issuer's key set with an asymmetric algorithm, for this hub, now. Whom the claims make a user here is
`hub.access.oidc_claims`'s to say. Protocol and tokens are Authlib's; this module adds limits, caches and
words.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar, cast

import httpx
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from hub.clock import Clock
from hub.settings import Settings
from skills.errors import UnauthorizedError, ZunftError
from skills.lines import is_protected

__all__ = ["Attempt", "Issuer", "IssuerError"]

ALGORITHMS = (
    *(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)),
    "EdDSA",
    "Ed25519",
)
"""Asymmetric ones: what is signed with a shared secret, or not at all, proves nothing."""

ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
DISCOVERY = "/.well-known/openid-configuration"
Document = TypeVar("Document")

LARGEST_ANSWER = 1_048_576  # bytes
PATIENCE = 10.0  # seconds
FRESH = timedelta(hours=1)
"""How long discovery document and key set are believed; an unknown key has the set fetched again at once."""

CLOCK_SKEW = 60  # seconds by which the issuer's clock may differ


class IssuerError(ZunftError):
    """The issuer does not answer, or not as an issuer does."""

    code = "issuer_unavailable"
    status = 503


@dataclass(frozen=True)
class Attempt:
    """One attempt to sign in. All three of its values follow from the secret that only this browser has."""

    secret: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)

    @property
    def state(self) -> str:
        """Binds the answer to the browser that asked."""
        return self._derive(b"state")

    @property
    def nonce(self) -> str:
        """Binds the ID token to this attempt."""
        return self._derive(b"nonce")

    @property
    def verifier(self) -> str:
        """Proves to the issuer that whoever redeems the code has asked for it."""
        return self._derive(b"verifier")

    def _derive(self, what: bytes) -> str:
        digest = hmac.digest(self.secret.encode(), what, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Issuer:
    """The issuer of the settings. Coroutines, so that one that is slow holds up nobody else."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.name = settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        self._client_secret = settings.oidc_client_secret.get_secret_value()
        self._scopes = settings.oidc_scopes
        self._clock = clock
        self._kept: dict[str, tuple[datetime, Any]] = {}

    async def sign_in_address(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where to send the browser.

        Raises:
            IssuerError: The issuer cannot be asked for its endpoints.
        """
        metadata = await self._metadata()
        return str(
            prepare_grant_uri(
                metadata["authorization_endpoint"],
                self._client_id,
                "code",
                redirect_uri=redirect_uri,
                scope=self._scopes,
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier),
                code_challenge_method="S256",
            )
        )

    async def claims(self, code: str, attempt: Attempt, redirect_uri: str) -> dict[str, Any]:
        """Redeem a code; returns the claims of an ID token that holds.

        Raises:
            IssuerError: The issuer does not answer.
            UnauthorizedError: It refuses the code, or the token is not what it must be.
        """
        answer = await self._redeem(code, attempt, redirect_uri)
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise _untrusted("the issuer sent no ID token")
        try:
            read = await self._read(token)
            options = {
                "iss": {"essential": True, "value": self.name},
                "aud": {"essential": True, "value": self._client_id},
            }
            expected = {"nonce": attempt.nonce, "client_id": self._client_id, "access_token": access_token}
            claims = CodeIDToken(read.claims, read.header, options, expected)
            claims.validate(now=int(self._clock().timestamp()), leeway=CLOCK_SKEW)
        except (JoseError, TypeError, ValueError) as error:
            raise _untrusted(str(error)) from error
        return dict(claims)

    async def _redeem(self, code: str, attempt: Attempt, redirect_uri: str) -> dict[str, Any]:
        metadata = await self._metadata()
        body = prepare_token_request(
            "authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=attempt.verifier
        )
        method = _client_authentication(metadata, has_secret=bool(self._client_secret))
        prove = ClientAuth(self._client_id, self._client_secret, method)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        url, headers, body = prove.prepare("POST", metadata["token_endpoint"], headers, body)
        status, answer = await self._ask("POST", url, headers=headers, content=body)
        if status >= 500:
            raise _silent(f"its token endpoint answers {status}")
        if status != 200:
            raise _untrusted(f"the issuer refuses the code: {str(answer.get('error'))[:64]}")
        return answer

    async def _read(self, token: str) -> jwt.Token:
        """The token, signed by a key of the issuer; one that is new there is looked for once."""
        registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        address = (await self._metadata())["jwks_uri"]
        try:
            return jwt.decode(token, await self._kept_or_asked(address, _key_set), registry=registry)
        except InvalidKeyIdError:
            fresh = await self._kept_or_asked(address, _key_set, anew=True)
            return jwt.decode(token, fresh, registry=registry)

    async def _metadata(self) -> dict[str, Any]:
        return await self._kept_or_asked(self.name.rstrip("/") + DISCOVERY, self._check_metadata)

    def _check_metadata(self, found: dict[str, Any]) -> dict[str, Any]:
        if found.get("issuer") != self.name:
            raise _silent(f"its discovery document speaks for {str(found.get('issuer'))[:128]!r}")
        for endpoint in ENDPOINTS:
            if not is_protected(str(found.get(endpoint, ""))):
                raise _silent(f"its {endpoint} is missing or not https")
        return found

    async def _kept_or_asked(
        self, address: str, parse: Callable[[dict[str, Any]], Document], *, anew: bool = False
    ) -> Document:
        """A document of the issuer; one that can be used is kept for a while."""
        at, kept = self._kept.get(address, (None, None))
        if at is None or anew or self._clock() - at >= FRESH:
            status, answer = await self._ask("GET", address)
            if status != 200:
                raise _silent(f"{address} answers {status}")
            kept = parse(answer)
            self._kept[address] = self._clock(), kept
        return cast("Document", kept)

    async def _ask(self, method: str, address: str, **request: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON object of an answer; redirects are not followed."""
        try:
            async with (
                asyncio.timeout(PATIENCE),
                httpx.AsyncClient(verify=self._tls, timeout=PATIENCE) as client,
                client.stream(method, address, **request) as response,
            ):
                answer = json.loads(await _body(response))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            raise _silent(f"it does not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise _silent("its answer is not JSON") from error
        if not isinstance(answer, dict):
            raise _silent("its answer is no JSON object")
        return response.status_code, answer

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()


async def _body(response: httpx.Response) -> bytes:
    body = b""
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_ANSWER:
            raise _silent("its answer is too large")
    return body


def _client_authentication(metadata: dict[str, Any], *, has_secret: bool) -> str:
    """How the hub proves itself at the token endpoint; without a secret it has PKCE alone."""
    if not has_secret:
        return "none"
    offered = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in offered else "client_secret_post"


def _key_set(document: dict[str, Any]) -> KeySet:
    """The keys that sign; those that this program does not know sign nothing for it."""
    found = document.get("keys")
    keys = [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []
    try:
        return KeySet.import_key_set({"keys": [key for key in keys if key.get("use", "sig") == "sig"]})
    except (JoseError, ValueError) as error:
        raise _silent(f"its key set cannot be read: {error}") from error


def _silent(reason: str) -> IssuerError:
    return IssuerError(
        f"the issuer cannot be asked: {reason}.",
        where="oidc_issuer",
        remedy="Try again in a moment; an admin finds more in the hub's log.",
    )


def _untrusted(reason: str) -> UnauthorizedError:
    return UnauthorizedError(
        f"the sign-in does not hold: {reason}.", remedy="Start again from the hub's page.", code="bad_sign_in"
    )
