"""Showing attestations: what there is of a version, the envelopes themselves, and the gate's key.

Who may see the version is decided before, by whoever looked it up.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hub.storage.database import Database
from hub.storage.regions import Stores, region_of
from hub.storage.tables.attestations import AttestationRow
from skills.attestations import ENVELOPE_LIMIT
from skills.errors import NotFoundError
from skills.messages.attestations import AttestationView, GateKey
from skills.messages.skills import VersionView
from skills.signing import SigningKey, VerifyKey, gate_key_statement

__all__ = ["Vouchers", "attestation_view"]


@dataclass(frozen=True)
class Vouchers:
    """Reading calls; each is its own transaction."""

    database: Database
    stores: Stores
    key: SigningKey
    gate_key: VerifyKey

    def of(self, version: VersionView) -> list[AttestationView]:
        """What vouches for a version, the newest first."""
        its = AttestationRow.skill == version.skill, AttestationRow.number == version.version
        newest = (
            select(AttestationRow).where(*its).order_by(AttestationRow.made_at.desc(), AttestationRow.digest)
        )
        with self.database.read() as session:
            return [attestation_view(row) for row in session.scalars(newest)]

    def envelope(self, version: VersionView, digest: str) -> bytes:
        """One envelope of a version, as it was signed.

        Raises:
            NotFoundError: The version has no such attestation.
            StoreError: The store failed.
        """
        with self.database.read() as session:
            row = session.get(AttestationRow, digest)
            if row is None or (row.skill, row.number) != (version.skill, version.version):
                raise NotFoundError(
                    f"v{version.version} of {version.skill} has no attestation {digest[:80]!r}.",
                    where="digest",
                    remedy="See the list of its attestations.",
                )
            store = self.stores.of(region_of(session, version.skill))
        return store.get(digest, ENVELOPE_LIMIT)

    def gate_key_signed(self) -> GateKey:
        """The gate's public key, with the hub's signature on it."""
        return GateKey(
            gate_key=self.gate_key.text, signature=self.key.sign(gate_key_statement(self.gate_key.text))
        )


def attestation_view(row: AttestationRow) -> AttestationView:
    """One as it is listed."""
    return AttestationView(
        digest=row.digest, kind=row.kind, signer=row.signer, size=row.size, made_at=row.made_at
    )
