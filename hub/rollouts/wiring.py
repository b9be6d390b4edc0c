"""How roll-outs are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.attestations.keeping import Attestations
from hub.catalogue.wiring import CatalogueWing
from hub.clock import Clock
from hub.queue.leased_queue import LeasedQueue
from hub.rollouts.engine import RolloutEngine, queued
from hub.rollouts.fleet import FleetBook
from hub.rollouts.orders import Rollouts
from hub.rollouts.reports import Reports
from hub.settings import Settings
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.wiring import StorageWing
from hub.workers.wiring import WorkersWing

__all__ = ["RolloutsWing", "wire"]


@dataclass(frozen=True)
class RolloutsWing:
    """Orders, what moves roll-outs on, what robots report, and the fleet as they make it look."""

    orders: Rollouts
    engine: RolloutEngine
    reports: Reports
    fleet: FleetBook


def wire(
    settings: Settings,
    storage: StorageWing,
    workers: WorkersWing,
    catalogue: CatalogueWing,
    attestations: Attestations,
    clock: Clock,
) -> RolloutsWing:
    """Roll-outs move on with the engine's loop."""
    database = storage.database
    queue = LeasedQueue(
        database, RolloutRow, clock, settings.lease_seconds, due=queued, stopping=storage.stopping
    )
    return RolloutsWing(
        orders=Rollouts(database, attestations, clock),
        engine=RolloutEngine(database, workers.jobs, attestations, catalogue.skills, queue, clock),
        reports=Reports(database, clock),
        fleet=FleetBook(database),
    )
