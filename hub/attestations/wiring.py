"""How attestations are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.attestations.gate_key import gate_key
from hub.attestations.keeping import Attestations
from hub.attestations.views import Vouchers
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing

__all__ = ["AttestationsWing", "wire"]


@dataclass(frozen=True)
class AttestationsWing:
    """What is vouched for: kept, and shown."""

    keeping: Attestations
    vouchers: Vouchers


def wire(
    settings: Settings, storage: StorageWing, access: AccessWing, clock: Clock, *, in_process: bool
) -> AttestationsWing:
    """`in_process`: whether this process measures itself.

    Raises:
        SettingsError: The gate has no key.
    """
    key = gate_key(settings, storage.database, clock(), in_process=in_process)
    keeping = Attestations(storage.database, storage.stores, storage.discards, access.key, key)
    return AttestationsWing(keeping, Vouchers(storage.database, storage.stores, access.key, key))
