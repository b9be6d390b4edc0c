"""What is said of attestations: which there are of a version, and whose word on the gate counts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.manifest import Digest
from skills.messages.base import Message

__all__ = ["AttestationView", "GateKey", "ScoreAttestation"]

SCORE_LIMIT = 32 * 1024
"""Characters of the envelope of a score: some two hundred embodiments."""


class AttestationView(Message):
    """One attestation of a version; its envelope is fetched by `digest`.

    Attributes:
        signer: The key that signed it, as the hub says.
        size: Bytes of the envelope.
    """

    digest: Digest
    kind: Literal["merge", "gate", "release", "score", "hall"]
    signer: str = Field(max_length=128)
    size: int = Field(ge=1)
    made_at: datetime


class ScoreAttestation(Message):
    """Somebody hands in what they scored: a signed envelope as text, see docs/format.md."""

    envelope: str = Field(min_length=1, max_length=SCORE_LIMIT)


class GateKey(Message):
    """The public key with which the gate signs what it found.

    Attributes:
        signature: The hub's, see `skills.signing.gate_key_statement`.
    """

    gate_key: str = Field(max_length=128)
    signature: str = Field(max_length=128)
