"""How a hub is put together as a member of a larger hall."""

from __future__ import annotations

from dataclasses import dataclass

from hub.attestations.keeping import Attestations
from hub.catalogue.wiring import CatalogueWing
from hub.clock import Clock
from hub.halls.adoption import Adoption
from hub.halls.journal import HallRounds
from hub.halls.membership import Memberships
from hub.rounds.campaigns import Campaigns
from hub.storage.wiring import StorageWing

__all__ = ["HallsWing", "wire"]


@dataclass(frozen=True)
class HallsWing:
    """The membership, its rounds, and what came down; who asks the larger hall is `zunft.halls`."""

    memberships: Memberships
    rounds: HallRounds
    adoption: Adoption


def wire(
    storage: StorageWing,
    catalogue: CatalogueWing,
    campaigns: Campaigns,
    attestations: Attestations,
    clock: Clock,
) -> HallsWing:
    """Nothing of it works by itself."""
    database = storage.database
    return HallsWing(
        memberships=Memberships(database, clock, attestations.key),
        rounds=HallRounds(database, storage.stores, storage.spool, campaigns, clock),
        adoption=Adoption(database, storage.discards, storage.spool, catalogue.skills, attestations, clock),
    )
