"""Keys of the guild's metadata: those at hand come from the hub's own, those of the root are files apart.

Whoever has `hub-key.pem` has all that is signed daily, which is no less than whoever has the hub's process.
The root's three keys are needed to take that power away again: they are of use where the thief was not.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from securesystemslib.signer import CryptoSigner, Key, Signer

from hub.tuf.metadata import ONLINE
from skills.errors import ConflictError, SignatureError
from skills.signing import SigningKey

__all__ = ["ROOT_KEYS", "make_root_keys", "online_signers", "public_keys", "root_signer", "root_signers"]

ROOT_KEYS = "root-keys"
"""Folder of the root's keys in the hub's, where nobody has moved them away."""
COUNT = 3


def online_signers(key: SigningKey) -> dict[str, Signer]:
    """What signs for each role of `ONLINE`, from the hub's own key by HKDF."""
    return {
        role: CryptoSigner(Ed25519PrivateKey.from_private_bytes(key.derive(f"zunft.tuf/1 {role}")))
        for role in ONLINE
    }


def public_keys(signers: dict[str, Signer]) -> dict[str, Key]:
    """Their public halves."""
    return {role: signer.public_key for role, signer in signers.items()}


def make_root_keys(folder: Path) -> list[Signer]:
    """New keys of a root, each in a file of its own.

    Raises:
        ConflictError: There are some.
    """
    paths = _paths(folder)
    if any(path.exists() for path in paths):
        raise ConflictError(
            "there are keys of a root here.",
            where=str(folder),
            remedy="Name another folder, or move them away.",
        )
    for path in paths:
        SigningKey.load_or_create(path)
    return [root_signer(path) for path in paths]


def root_signers(folder: Path) -> list[Signer]:
    """The keys of a root that are in a folder."""
    return [root_signer(path) for path in sorted(folder.glob("*.pem"))]


def root_signer(path: Path) -> Signer:
    """One of them.

    Raises:
        SignatureError: It holds no Ed25519 private key.
    """
    if not path.is_file():
        raise SignatureError("there is no such key file.", where=str(path), remedy="Check the path.")
    pem = SigningKey.load_or_create(path).to_pem()
    private = load_pem_private_key(pem, password=None)
    if not isinstance(private, Ed25519PrivateKey):  # SigningKey has looked already
        raise SignatureError("not an Ed25519 key.", where=str(path))
    return CryptoSigner(private)


def _paths(folder: Path) -> list[Path]:
    return [folder / f"root-{number}.pem" for number in range(1, COUNT + 1)]
