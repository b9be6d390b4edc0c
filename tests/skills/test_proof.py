"""Proofs of requests: what the hub verifies is what RFC 9421 says, by a library in both directions."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, MappingKeyResolver
from http_message_signatures.algorithms import ED25519
from hypothesis import given
from hypothesis import strategies as st

from fleet.auth import signed_headers
from skills.container import digest_of
from skills.errors import SignatureError, UnauthorizedError
from skills.proof import COVERED, DIGEST, INPUT, SIGNATURE, RequestProof, content_digest
from skills.signing import SigningKey

KEY = SigningKey.generate()
TARGET = "/rounds/1?x=1"
Headers = dict[str, str]


def headers(body: bytes = b"body", **changes: str) -> Headers:
    request = {"robot_id": "ada", "method": "POST", "target": TARGET, "nonce": "nonce-01"} | changes
    return signed_headers(KEY, body=body, created=1000, **request)


def verify(
    sent: Headers, *, method: str = "POST", target: str = TARGET, body: bytes = b"body"
) -> RequestProof:
    proof = RequestProof.read(sent)
    proof.verify(KEY.public, method=method, target=target)
    proof.check_body(digest_of(body))
    return proof


@pytest.mark.parametrize("target", ["/a", "/a?", "/a?x=1", "/a?x=1?y", "/a%20b/%C3%BC?q=%2F+", "//a"])
@pytest.mark.parametrize("body", [b"", b"body"])
def test_a_signed_request_verifies(target: str, body: bytes) -> None:
    proof = verify(headers(body, target=target), target=target, body=body)
    assert (proof.robot_id, proof.created, proof.nonce) == ("ada", 1000, "nonce-01")


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"target": "/rounds/2?x=1"},
        {"target": "/rounds/1"},
        {"body": b"other"},
        {"body": b""},
    ],
)
def test_another_request_does_not_verify(change: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        verify(headers(), **change)  # type: ignore[arg-type]


def test_a_body_that_was_not_signed_does_not_verify() -> None:
    with pytest.raises(SignatureError, match="not the one that was signed"):
        verify(headers(b""), body=b"body")


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        (INPUT, "ada", "bob"),
        (INPUT, "created=1000", "created=1001"),
        (INPUT, "nonce-01", "nonce-02"),
        (INPUT, "alg", "tag"),
        (INPUT, 'alg="ed25519"', 'alg="hmac-sha256"'),
        (INPUT, "created=1000", 'created="1000"'),
        (INPUT, "created=1000", "created=-1000"),
        (INPUT, "created=1000", "created=1000;created=1000"),
        (INPUT, ";created=1000", ""),
        (INPUT, '"@query"', '"@authority"'),
        (INPUT, ' "content-digest"', ""),
        (INPUT, '"@method" ', ""),
        (INPUT, "zunft=", "other="),
        (INPUT, "zunft=", "zunft= "),
        (INPUT, '"nonce-01"', '"nonce-01'),
        (INPUT, "ada", 'ad\\"a'),
        (SIGNATURE, "zunft=", "other="),
        (SIGNATURE, "zunft=:", "zunft=:AAAA"),
        (SIGNATURE, "zunft=:", ""),
        (DIGEST, "sha-256", "sha-512"),
        (DIGEST, "sha-256=", "md5=:AAAA:, sha-256="),
        (DIGEST, "=:", "=:AAAA"),
    ],
)
def test_any_change_is_refused(header: str, old: str, new: str) -> None:
    sent = headers()
    assert old in sent[header]
    sent[header] = sent[header].replace(old, new)
    with pytest.raises((SignatureError, UnauthorizedError)):
        verify(sent)


@pytest.mark.parametrize("header", [INPUT, SIGNATURE, DIGEST])
def test_what_has_not_the_shape_is_refused_by_name(header: str) -> None:
    for value in ("", "?", "zunft=()", 'zunft=("@method")', "zunft=:AA==:", "x" * 10_000, "\x00"):
        with pytest.raises(UnauthorizedError) as caught:
            RequestProof.read({**headers(), header: value})
        assert caught.value.where == header


@dataclass
class Sent:
    """A request as the library reads it."""

    headers: Headers = field(default_factory=dict)
    method: str = "POST"
    url: str = "https://proxy.example" + TARGET


def signed_by_library(
    sent: Sent, body: bytes | None = b"body", covered: tuple[str, ...] = COVERED, **options: Any
) -> Headers:
    private = load_pem_private_key(KEY.to_pem(), None)
    signer = HTTPMessageSigner(
        signature_algorithm=ED25519,
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={"ada": private}),  # type: ignore[dict-item]
    )
    signer.sign(
        sent,
        key_id="ada",
        created=datetime.fromtimestamp(1000, UTC),
        covered_component_ids=covered,
        body=body,
        **{"nonce": "nonce-01", **options},
    )
    return sent.headers


TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40)


@given(
    robot_id=TEXT, nonce=TEXT, body=st.binary(max_size=50), damage=st.integers(0, 400), by=st.integers(1, 94)
)
def test_the_hub_believes_nothing_that_the_library_does_not(
    robot_id: str, nonce: str, body: bytes, damage: int, by: int
) -> None:
    """One character of the fields becomes another: either both take it, or the hub refuses."""
    sent = headers(body, robot_id=robot_id, nonce=nonce)
    names = [name for name in (INPUT, SIGNATURE, DIGEST) if name in sent]
    name = names[damage % len(names)]
    place = damage % len(sent[name])
    other = chr(0x20 + (ord(sent[name][place]) - 0x20 + by) % 95)
    damaged = {**sent, name: sent[name][:place] + other + sent[name][place + 1 :]}
    for tried in (sent, damaged):
        try:
            proof = verify(tried, body=body)
        except (SignatureError, UnauthorizedError):
            continue
        assert believed_by_library(tried, proof.robot_id, body)


def believed_by_library(sent: Headers, robot_id: str, body: bytes) -> bool:
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(KEY.public.text.removeprefix("ed25519:")))
    verifier = HTTPMessageVerifier(
        signature_algorithm=ED25519,
        key_resolver=MappingKeyResolver(public_keys={robot_id: public}, private_keys={}),
    )
    (result,) = verifier.verify(Sent(dict(sent)), max_age=None, require_components=COVERED, body=body)
    return result.parameters["keyid"] == robot_id


@pytest.mark.parametrize("body", [None, b"body"])
def test_what_any_signer_of_the_rfc_makes_is_taken(body: bytes | None) -> None:
    verify(signed_by_library(Sent(), body, label="sig1"), body=body or b"")


@pytest.mark.parametrize(
    "options",
    [
        {"nonce": None},
        {"include_alg": False},
        {"tag": "web-bot-auth"},
        {"expires": datetime.fromtimestamp(2000, UTC)},
        {"covered": ("@method",)},
        {"covered": (*COVERED, "@authority")},
    ],
)
def test_but_only_in_the_one_shape(options: dict[str, object]) -> None:
    with pytest.raises(UnauthorizedError):
        RequestProof.read(signed_by_library(Sent(), **options))  # type: ignore[arg-type]


def test_the_digest_is_that_of_the_rfc() -> None:
    """RFC 9530, appendix D: the digest of a message without content."""
    assert content_digest(b"") == "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"


def test_the_example_of_the_documentation_is_true() -> None:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    key = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    sent = signed_headers(
        key,
        robot_id="r-ada",
        method="PUT",
        target="/api/v1/robots/me/abilities",
        body=b'{"abilities":[]}',
        created=1767225600,
        nonce="nonce-01",
    )
    assert f"`Signature: {sent[SIGNATURE]}`" in page
    assert f'"content-digest": {sent[DIGEST]}\n' in page
    assert f'"@signature-params": {sent[INPUT].removeprefix("zunft=")}\n' in page
