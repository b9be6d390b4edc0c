"""Secrets that the hub must be able to read again, sealed for its database.

A signature by HMAC needs the secret itself, so a hash will not do. It lies in the database encrypted with
AES-256-GCM under a key that is derived from the hub's private key; who has only the database, or a backup
without the hub's key, cannot read it. Who has both can.
"""

from __future__ import annotations

import base64
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from skills.errors import ConflictError
from skills.signing import SigningKey

__all__ = ["Vault"]

PURPOSE = "zunft webhook secrets 1"
NONCE_BYTES = 12


class Vault:
    """Seals texts, each for one owner: moved to another's row, it does not open."""

    def __init__(self, key: SigningKey) -> None:
        self._cipher = AESGCM(key.derive(PURPOSE))

    def seal(self, text: str, owner: str) -> str:
        """The text, as it may lie in the database."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> str:
        """The text again.

        Raises:
            ConflictError: It was sealed for another owner, or with another hub's key.
        """
        data = base64.b64decode(sealed)
        try:
            return self._cipher.decrypt(data[:NONCE_BYTES], data[NONCE_BYTES:], owner.encode()).decode()
        except InvalidTag as error:
            raise ConflictError(
                "this secret was sealed with another hub key.",
                where=owner,
                remedy="Put the hub's own hub-key.pem into its folder, or add the webhook anew.",
                code="sealed_elsewhere",
            ) from error
