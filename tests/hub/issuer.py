"""A small OpenID Connect issuer as a real process over HTTP, with knobs to lie.

Where it does not lie it holds a hub to the protocol: PKCE, the client's secret, codes that work once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from joserfc import jwt
from joserfc.jwk import Key, KeySet, RSAKey
from joserfc.jws import JWSRegistry

from tests.eventually import eventually
from tests.hub.servers import free_ports

__all__ = ["CLIENT", "SECRET", "RunningIssuer", "running_issuer"]

CLIENT = "zunft"
SECRET = "the hub's secret at the issuer"
BASIC = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
PATH = "/realms/guild"
ANSWERS = {
    "down": Response(status_code=500),
    "not json": Response("<html>", media_type="text/html"),
    "a list": JSONResponse([]),
    "huge": Response(b" " * 2_000_000 + b"{}"),
}
"""What it says in place of its discovery document."""


@dataclass(frozen=True)
class RunningIssuer:
    """The process as a test sees it."""

    name: str

    def says(self, now: float, *, lie: str = "", **claims: Any) -> None:
        """What its next ID tokens claim, at what time, and in which respect it lies."""
        message = {"now": now, "lie": lie, "claims": claims}
        httpx.post(f"{self.name}/control", json=message).raise_for_status()

    def count(self, path: str) -> int:
        """How often this path was asked for."""
        return int(httpx.get(f"{self.name}/count/{path}").text)


@contextmanager
def running_issuer() -> Iterator[RunningIssuer]:
    """Start one on a free port."""
    (port,) = free_ports(1)
    found = RunningIssuer(f"http://127.0.0.1:{port}{PATH}")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hub.issuer"], env={**os.environ, "PORT": str(port)}
    )
    try:
        eventually(lambda: _answers(found), "the issuer", alive=lambda: process.poll() is None)
        yield found
    finally:
        process.kill()
        process.wait()


def _answers(issuer: RunningIssuer) -> bool:
    try:
        return issuer.count("keys") >= 0
    except httpx.TransportError:
        return False


def new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


def confused(claims: dict[str, Any], key: RSAKey) -> str:
    """The old attack on who takes HS256 where RS256 is meant, by hand: joserfc makes no such token."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": key.kid}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mark = hmac.digest(key.as_pem(private=False), signed, "sha256")
    return (signed + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


@dataclass
class Issuer:
    """One issuer; `name` is also its address."""

    name: str
    keys: list[RSAKey] = field(default_factory=lambda: [new_key()])
    now: float = 0.0
    lie: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def discovery(self) -> Response:
        if self.lie in ANSWERS:
            return ANSWERS[self.lie]
        base = "http://login.example" if self.lie == "plain http" else self.name
        document = {
            "issuer": "http://127.0.0.1/another" if self.lie == "another's document" else self.name,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/keys",
        }
        return JSONResponse(document)

    def authorize(self, query: dict[str, str]) -> Response:
        """The person agrees at once."""
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        answer = {"state": query["state"], "iss": self.name}
        if self.lie == "denied":
            answer["error"] = "access_denied"
        else:
            answer["code"] = secrets.token_urlsafe()
            self.codes[answer["code"]] = query
        answer |= {"another's answer": {"iss": "http://127.0.0.1/another"}}.get(self.lie, {})
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 302)

    def token(self, form: dict[str, str], authorization: str) -> Response:
        asked = self.codes.get(form["code"])
        if self.lie != "codes work twice":
            self.codes.pop(form["code"], None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if authorization != BASIC:
            return JSONResponse({"error": "invalid_client"}, 401)
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form["redirect_uri"]
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        answer = {"access_token": "at-1", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}
        if self.lie == "no token":
            del answer["id_token"]
        return JSONResponse(answer)

    def id_token(self, nonce: str) -> str:
        claims = {
            "iss": self.name,
            "aud": CLIENT,
            "iat": int(self.now),
            "exp": int(self.now) + 300,
            "nonce": nonce,
            **self.claims,
            **self.lies().get(self.lie, {}),
        }
        if self.lie == "no nonce":
            del claims["nonce"]
        if self.lie == "public key as a secret":
            return confused(claims, self.keys[-1])
        header, key = self.signature()
        registry = JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
        token = jwt.encode(header, claims, key, registry=registry)
        return token[:-8] + "AAAAAAAA" if self.lie == "changed" else token

    def lies(self) -> dict[str, dict[str, Any]]:
        return {
            "issuer": {"iss": "http://127.0.0.1/another"},
            "audience": {"aud": "another-hub"},
            "party": {"aud": [CLIENT, "another-hub"], "azp": "another-hub"},
            "nonce": {"nonce": "of another attempt"},
            "expired": {"iat": int(self.now) - 900, "exp": int(self.now) - 600},
            "early": {"iat": int(self.now) + 600, "exp": int(self.now) + 900},
            "access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        }

    def signature(self) -> tuple[dict[str, Any], Key]:
        known = self.keys[-1]
        if self.lie == "alg none":
            return {"alg": "none"}, known
        if self.lie == "unknown key":
            stranger = new_key()
            return {"alg": "RS256", "kid": stranger.kid}, stranger
        if self.lie == "another's key":
            return {"alg": "RS256", "kid": known.kid}, new_key()
        return {"alg": "RS256", "kid": known.kid}, known

    def set(self, message: dict[str, Any]) -> None:
        self.now, self.lie, self.claims = message["now"], message["lie"], message["claims"]
        if self.lie == "new key":
            self.keys.append(new_key())


def create_app(name: str) -> FastAPI:
    issuer, app = Issuer(name), FastAPI()

    @app.post(f"{PATH}/control")
    def control(message: dict[str, Any]) -> None:
        issuer.set(message)

    @app.get(f"{PATH}/count/{{path}}")
    def count(path: str) -> int:
        return issuer.counts[path]

    @app.get(f"{PATH}/.well-known/openid-configuration")
    def discovery() -> Response:
        issuer.counts["discovery"] += 1
        return issuer.discovery()

    @app.get(f"{PATH}/keys")
    def keys() -> Response:
        issuer.counts["keys"] += 1
        return JSONResponse(KeySet(list(issuer.keys)).as_dict(private=False))

    @app.get(f"{PATH}/authorize")
    def authorize(request: Request) -> Response:
        return issuer.authorize(dict(request.query_params))

    @app.post(f"{PATH}/token")
    async def token(request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        return issuer.token(form, request.headers.get("authorization", ""))

    return app


if __name__ == "__main__":
    port = int(os.environ["PORT"])
    uvicorn.run(create_app(f"http://127.0.0.1:{port}{PATH}"), port=port, log_level="warning")
