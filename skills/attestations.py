"""Attestations: who vouches for what of a version, as in-toto Statements v1 in DSSE envelopes, by Ed25519.

What is said is `skills.predicates`', described in docs/format.md. An envelope is named by the SHA-256 of
its bytes; what is signed is the statement's bytes as they stand in it, so that nothing is ever written anew
before it is verified. Earlier editions of a predicate are read as the present one. Whose key counts for what
is decided by whoever reads: `fleet.trust` for robots, `hub.attestations` for hubs.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json
from securesystemslib.dsse import Envelope
from securesystemslib.signer import Signature

from skills.container import digest_of
from skills.errors import ArtefactError, SignatureError
from skills.files import Blob
from skills.manifest import Digest
from skills.predicates import (
    Gate,
    Hall,
    Kind,
    Merge,
    Predicate,
    Release,
    Score,
    Strict,
)
from skills.signing import SigningKey, VerifyKey

__all__ = [
    "ENVELOPE_LIMIT",
    "ENVELOPE_TYPE",
    "Attested",
    "attest",
    "read_attestation",
    "vouched",
]

ENVELOPE_LIMIT = 16 * 1024 * 1024
"""Bytes of the largest envelope: the merge of some 40,000 deltas."""
ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
SHA256 = "sha256:"

P = TypeVar("P", bound=Predicate)


@dataclass(frozen=True)
class Attested:
    """An envelope that was read. Whether its signature holds is not known before `verify`.

    Attributes:
        digest: The envelope's name.
        name: What the statement calls its subject, such as `weld-seam@7`.
        subject: Digest of the version that it speaks of.
        signer: The key that claims to have signed.
    """

    digest: Digest
    name: str
    subject: Digest
    predicate: Predicate
    signer: VerifyKey
    signature: str
    signed: bytes

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return self.predicate.kind

    def verify(self, key: VerifyKey) -> None:
        """Hold the signature to a key.

        Raises:
            SignatureError: Another key signed it, or it signed something else.
        """
        key.verify(self.signature, self.signed)


def attest(key: SigningKey, name: str, subject: Digest, predicate: Predicate) -> bytes:
    """The envelope in which a key says something of a version.

    Args:
        key: Whose word it is.
        name: What people call the version, such as `weld-seam@7`.
        subject: Digest of its file.
        predicate: What is said.

    Raises:
        ArtefactError: It would be larger than anybody reads.
    """
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": subject.removeprefix(SHA256)}}],
        "predicateType": predicate.type_uri(),
        "predicate": predicate.model_dump(mode="json"),
    }
    envelope = Envelope(_canonical(statement), PAYLOAD_TYPE, {})
    signature = base64.b64decode(key.sign(envelope.pae())).hex()
    envelope.signatures[key.public.text] = Signature(key.public.text, signature)
    data = _canonical(envelope.to_dict())
    _check_size(data)
    return data


def read_attestation(data: Blob) -> Attested:
    """Read an envelope; nothing of it is verified but its form.

    Raises:
        ArtefactError: Too large, or not an envelope with one statement of a kind that is known here.
    """
    _check_size(data)
    envelope = _parsed(_Envelope, bytes(data))
    signature, payload = envelope.signatures[0], _decoded(envelope.payload)
    _decoded(signature.sig)
    try:
        told = from_json(payload, allow_inf_nan=False)
        uri = told["predicateType"]
    except (ValueError, KeyError, TypeError) as error:
        raise _refusal("its payload is no statement") from error
    if not isinstance(uri, str) or uri not in _STATEMENTS:
        raise _refusal(f"its predicate {str(uri)[:80]!r} is of no known type")
    statement = _parsed(_STATEMENTS[uri], payload)
    subject = statement.subject[0]
    return Attested(
        digest=digest_of(data),
        name=subject.name,
        subject=SHA256 + subject.digest.sha256,
        predicate=statement.predicate,
        signer=VerifyKey(signature.keyid),
        signature=signature.sig,
        signed=Envelope(payload, envelope.payloadType, {}).pae(),
    )


def vouched(data: Blob, kind: type[P], subject: Digest, keys: Iterable[VerifyKey]) -> P:
    """What one of these keys says of a version, or an error that says why it does not.

    Raises:
        ArtefactError: Not an attestation, of another kind, or of another version.
        SignatureError: None of the keys signed it.
    """
    found = read_attestation(data)
    if not isinstance(found.predicate, kind):
        raise _refusal(f"it is of the kind {found.kind}, not {kind.kind}")
    if found.subject != subject:
        raise _refusal(f"it speaks of {found.subject}, not of {subject}")
    if all(found.signer != key for key in keys):
        raise SignatureError(
            f"the {kind.kind} attestation is signed by {found.signer.text}, which does not count here.",
            where="signature",
        )
    found.verify(found.signer)
    return found.predicate


class _Signature(Strict):
    keyid: str = Field(max_length=128)
    sig: str = Field(max_length=128)


class _Envelope(Strict):
    payloadType: Literal["application/vnd.in-toto+json"]  # noqa: N815 - DSSE's own spelling
    payload: str
    signatures: tuple[_Signature, ...] = Field(min_length=1, max_length=1)


class _DigestSet(Strict):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _Subject(Strict):
    name: str = Field(min_length=1, max_length=256)
    digest: _DigestSet


class _Statement(Strict, Generic[P]):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[_Subject, ...] = Field(min_length=1, max_length=1)
    predicateType: str  # noqa: N815 - in-toto's own spelling
    predicate: P


def _editions(kind: type[P]) -> dict[str, type[_Statement[Any]]]:
    return {kind.type_uri(edition): _Statement[kind] for edition in range(1, kind.edition + 1)}  # type: ignore[valid-type] # made here


_STATEMENTS: dict[str, type[_Statement[Any]]] = {
    **_editions(Merge),
    **_editions(Gate),
    **_editions(Release),
    **_editions(Score),
    **_editions(Hall),
}
M = TypeVar("M", bound=BaseModel)


def _parsed(kind: type[M], data: bytes) -> M:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))[:200]
        raise _refusal(f"{place or 'it'}: {first['msg'][:200]}") from error


def _decoded(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal("it is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise _refusal("its base64 has a second spelling")  # one statement, one envelope, one name
    return data


def _check_size(data: Blob) -> None:
    if len(data) > ENVELOPE_LIMIT:
        raise _refusal(f"it has {len(data)} bytes, more than {ENVELOPE_LIMIT}")


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _refusal(what: str) -> ArtefactError:
    return ArtefactError(
        f"this is no attestation that counts here: {what}.", where="attestation", code="bad_attestation"
    )
