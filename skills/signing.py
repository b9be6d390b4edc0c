"""Ed25519 keys and signatures: robots sign deltas, the hub signs the skills it publishes.

Each kind of statement has its own prefix, so that a signature on one can never stand for another.
What a robot signs of its requests is `skills.proof`'s, and begins as none of these.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from skills.errors import SignatureError
from skills.files import write_atomically

__all__ = [
    "SigningKey",
    "VerifyKey",
    "delta_statement",
    "gate_key_statement",
    "root_statement",
    "skill_statement",
    "task_statement",
]

KEY_PREFIX = "ed25519:"
KEPT_KEYS = 10_000
"""So many public keys stay as the library has them, a kB each: who asks again is verified sooner."""

PRIME = 2**255 - 19
_EIGHTH = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
SMALL_ORDERS = {0, 1, PRIME - 1, _EIGHTH, PRIME - _EIGHTH}
"""y of the points of order 1, 2, 4 and 8 (RFC 8032, section 5.1): one signature fits all statements there."""


@dataclass(frozen=True)
class VerifyKey:
    """A public key; `text` is how it is written in messages and files."""

    text: str

    def canonical(self) -> VerifyKey:
        """The same key in its one spelling: two that are equal then are equal as texts.

        Raises:
            SignatureError: It is no public key.
        """
        return _spell(self.raw())

    def raw(self) -> bytes:
        """Its 32 bytes.

        Raises:
            SignatureError: It is no public key.
        """
        return _public_key(self.text).public_bytes_raw()

    def verify(self, signature: str, statement: bytes) -> None:
        """Check a base64 signature.

        Raises:
            SignatureError: The signature or the key is not valid.
        """
        try:
            _public_key(self.text).verify(_decode(signature), statement)
        except InvalidSignature as error:
            raise SignatureError(
                "the signature does not fit the content and the key.",
                where="signature",
                remedy="Sign with the key that was enrolled, over exactly the bytes that are sent.",
            ) from error


class SigningKey:
    """A private key. Its representation never shows it."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the system's entropy."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load_or_create(cls, path: Path) -> SigningKey:
        """Read the PEM file, or make one that only its owner may read; all who do so at once get the same.

        Raises:
            SignatureError: The file holds no Ed25519 private key.
        """
        if not path.exists():
            _keep_first(path, cls.generate().to_pem())
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except ValueError as error:
            raise SignatureError(
                "no private key in this file.", where=str(path), remedy="Enrol again."
            ) from error
        if not isinstance(private, Ed25519PrivateKey):
            raise SignatureError("not an Ed25519 key.", where=str(path), remedy="Enrol again.")
        return cls(private)

    @property
    def public(self) -> VerifyKey:
        """The key that others verify with."""
        return _spell(self._private.public_key().public_bytes_raw())

    def sign(self, statement: bytes) -> str:
        """Base64 signature over the statement."""
        return base64.b64encode(self._private.sign(statement)).decode()

    def derive(self, purpose: str) -> bytes:
        """A key of 32 bytes for another purpose, by HKDF-SHA256; it tells nothing of this one."""
        hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode())
        return hkdf.derive(self._private.private_bytes_raw())

    def to_pem(self) -> bytes:
        """The private key itself, for its owner's file only."""
        return self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def delta_statement(digest: str) -> bytes:
    """What a robot signs of a delta: the digest of the file, whose header names round, base and robot."""
    return b"zunft.delta/1\n" + _raw(digest)


def skill_statement(digest: str) -> bytes:
    """What a hub signs of a skill that it publishes: the digest of the file."""
    return b"zunft.skill/1\n" + digest.encode()


def gate_key_statement(text: str) -> bytes:
    """What a hub signs of the key whose word on the gate counts: the key, as it is written."""
    return b"zunft.gate-key/1\n" + text.encode()


def root_statement(digest: str) -> bytes:
    """What a hub signs of the first root of trust, for robots that pinned its key: the digest of the file."""
    return b"zunft.root/1\n" + digest.encode()


def task_statement(name: str, version: int, digest: str) -> bytes:
    """What a hub signs of a task that it publishes: name, number, and the digest of the archive."""
    return f"zunft.task/1\n{name}\n{version}\n{digest}".encode()


def _keep_first(path: Path, data: bytes) -> None:
    """Make a file for its owner only, durably; one that somebody else has made meanwhile stays."""
    with tempfile.TemporaryDirectory(dir=_folder(path), prefix=f".{path.name}.") as folder:
        made = Path(folder) / path.name
        write_atomically(made, data, mode=0o600)
        with suppress(FileExistsError):
            path.hardlink_to(made)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


def _raw(digest: str) -> bytes:
    return bytes.fromhex(digest.removeprefix("sha256:"))


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureError(
            "not base64.", where="signature", remedy="Send the signature in base64."
        ) from error


def _spell(raw: bytes) -> VerifyKey:
    return VerifyKey(KEY_PREFIX + base64.b64encode(raw).decode())


@lru_cache(KEPT_KEYS)
def _public_key(text: str) -> Ed25519PublicKey:
    try:
        raw = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except ValueError:  # binascii.Error, or not ASCII
        raw = b""
    height = int.from_bytes(raw, "little") % 2**255
    if not text.startswith(KEY_PREFIX) or len(raw) != 32 or height >= PRIME or height in SMALL_ORDERS:
        raise SignatureError(
            "not a public key.", where="public_key", remedy=f"Write it as {KEY_PREFIX}<base64>."
        )
    return Ed25519PublicKey.from_public_bytes(raw)
