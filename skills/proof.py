"""A robot's proof that it sent exactly this request, once, now: an HTTP Message Signature (RFC 9421).

Of all that the RFC allows a hub takes one shape, so this file reads and verifies that alone; docs/format.md
says which. It is written by `fleet.auth` with a library of the RFC's. Whether the time is fresh and the nonce
new is decided by the hub, who owns a clock and a memory; that the body fits its digest, by who reads it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from skills.container import digest_of
from skills.errors import SignatureError, UnauthorizedError
from skills.signing import VerifyKey

__all__ = [
    "ALGORITHM",
    "COVERED",
    "DIGEST",
    "INPUT",
    "NOTHING",
    "SIGNATURE",
    "RequestProof",
    "content_digest",
]

INPUT, SIGNATURE, DIGEST = "Signature-Input", "Signature", "Content-Digest"
"""The headers."""
COVERED = ("@method", "@path", "@query")
"""What each request signs. Scheme and host are not among it: a proxy that ends TLS changes both."""
COVERED_WITH_BODY = (*COVERED, DIGEST.lower())
ALGORITHM = "ed25519"
NOTHING = digest_of(b"")
"""The digest of no body."""

_LABEL = r"[a-z*][a-z0-9_.*-]{0,31}"
_INPUT = re.compile(rf'({_LABEL})=((\("[a-z@" -]*"\))((?:;[a-z]+=(?:\d{{1,15}}|"[ !#-\[\]-~]*"))*))')
_PARAMETER = re.compile(r';([a-z]+)=(?:(\d+)|"([^"]*)")')
_SIGNATURE = re.compile(rf"({_LABEL})=:([A-Za-z0-9+/]{{86}}==):")
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")
_LISTS = {
    "(" + " ".join(f'"{name}"' for name in names) + ")": names for names in (COVERED, COVERED_WITH_BODY)
}
_NAMES = ["alg", "created", "keyid", "nonce"]


@dataclass(frozen=True)
class RequestProof:
    """What a request shows; nothing of it is proven before `verify`.

    Attributes:
        robot_id: Who asks, `keyid` of the signature.
        created: Unix seconds, as the robot's clock has them.
        nonce: Never used before by this robot.
        signature: Base64, over method, path, query, the digest of the body, and all of the above.
        parameters: As sent, and as signed.
        digest_field: Content-Digest as sent; empty where the signature covers none.
    """

    robot_id: str
    created: int
    nonce: str
    signature: str
    parameters: str
    digest_field: str

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> RequestProof:
        """From a request's headers, by names in any case.

        Raises:
            UnauthorizedError: They have not the one shape; `where` is the header.
        """
        found = _INPUT.fullmatch(headers.get(INPUT, ""))
        signed = _SIGNATURE.fullmatch(headers.get(SIGNATURE, ""))
        if found is None or found[3] not in _LISTS:
            raise _misshapen(INPUT, "one signature over exactly " + " or ".join(_LISTS))
        if signed is None or signed[1] != found[1]:
            raise _misshapen(SIGNATURE, "64 bytes in base64, under the label of Signature-Input")
        given = _PARAMETER.findall(found[4])
        texts = {name: text for name, number, text in given if not number}
        created = next((int(number) for name, number, _ in given if name == "created" and number), None)
        if sorted(name for name, _, _ in given) != _NAMES or created is None or len(texts) < len(_NAMES) - 1:
            raise _misshapen(INPUT, "created in Unix seconds, keyid, alg and nonce, each once and no more")
        if texts["alg"] != ALGORITHM:
            raise _misshapen(INPUT, f'alg="{ALGORITHM}"')
        digest = headers.get(DIGEST, "") if _LISTS[found[3]] is COVERED_WITH_BODY else ""
        if _LISTS[found[3]] is COVERED_WITH_BODY and _DIGEST.fullmatch(digest) is None:
            raise _misshapen(DIGEST, "sha-256 and nothing else, as RFC 9530 writes it")
        return cls(texts["keyid"], created, texts["nonce"], signed[2], found[2], digest)

    @property
    def body_digest(self) -> str:
        """What the body is to have, `sha256:` and 64 hex digits; where none was signed, that of no body."""
        found = _DIGEST.fullmatch(self.digest_field)
        return "sha256:" + base64.b64decode(found[1]).hex() if found else NOTHING

    def verify(self, key: VerifyKey, *, method: str, target: str) -> None:
        """Check the signature, for which no body is needed.

        Args:
            key: The robot's.
            method: As received.
            target: Path and query as received.

        Raises:
            SignatureError: Another request, another robot or another key.
        """
        path, _, query = target.partition("?")
        lines = [f'"@method": {method.upper()}', f'"@path": {path}', f'"@query": ?{query}']
        if self.digest_field:
            lines.append(f'"content-digest": {self.digest_field}')
        lines.append(f'"@signature-params": {self.parameters}')
        key.verify(self.signature, "\n".join(lines).encode())

    def check_body(self, digest: str) -> None:
        """Hold the body that came to the digest that was signed.

        Raises:
            SignatureError: Another body.
        """
        if digest != self.body_digest:
            raise SignatureError(
                "the body is not the one that was signed.",
                where=DIGEST,
                remedy="Sign each body's own SHA-256 in Content-Digest, and send exactly these bytes.",
            )


def content_digest(body: bytes) -> str:
    """The value of Content-Digest for these bytes (RFC 9530)."""
    raw = bytes.fromhex(digest_of(body).removeprefix("sha256:"))
    return f"sha-256=:{base64.b64encode(raw).decode()}:"


def _misshapen(where: str, wanted: str) -> UnauthorizedError:
    return UnauthorizedError(
        "not the signature that this hub takes.", where=where, remedy=f"Send {wanted}; see docs/format.md."
    )
