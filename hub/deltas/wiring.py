"""How what robots send is taken in."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.catalogue.wiring import CatalogueWing
from hub.clock import Clock
from hub.deltas.admission import Admission
from hub.deltas.uploads import UploadLimits, Uploads
from hub.organisations.wiring import OrganisationsWing
from hub.settings import Settings
from hub.storage.wiring import StorageWing

__all__ = ["DeltasWing", "wire"]


@dataclass(frozen=True)
class DeltasWing:
    """The border for deltas, and large files in parts."""

    admission: Admission
    uploads: Uploads


def wire(
    settings: Settings,
    storage: StorageWing,
    access: AccessWing,
    catalogue: CatalogueWing,
    organisations: OrganisationsWing,
    clock: Clock,
) -> DeltasWing:
    """Files in parts end up where whole ones do."""
    database, stores, spool = storage.database, storage.stores, storage.spool
    admission = Admission(database, stores, storage.discards, spool, access.authenticator.nonces, clock)
    limits = UploadLimits(
        delta=settings.delta_limit,
        skill=settings.skill_limit,
        part=settings.part_size,
        seconds=settings.upload_seconds,
    )
    uploads = Uploads(
        database, stores, spool, admission, catalogue.skills, organisations.registry, clock, limits
    )
    return DeltasWing(admission, uploads)
