"""How withdrawals are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.attestations.keeping import Attestations
from hub.catalogue.wiring import CatalogueWing
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.withdrawals.registry import Withdrawals
from hub.withdrawals.worker import WithdrawalWorker
from hub.workers.wiring import WorkersWing

__all__ = ["WithdrawalsWing", "wire"]


@dataclass(frozen=True)
class WithdrawalsWing:
    """Asking for withdrawals, and carrying them out."""

    registry: Withdrawals
    worker: WithdrawalWorker


def wire(
    settings: Settings,
    storage: StorageWing,
    workers: WorkersWing,
    catalogue: CatalogueWing,
    attestations: Attestations,
    clock: Clock,
) -> WithdrawalsWing:
    """They are carried out with the worker's loop."""
    database, seconds = storage.database, settings.lease_seconds
    return WithdrawalsWing(
        registry=Withdrawals(database, attestations, clock),
        worker=WithdrawalWorker(
            database,
            storage.stores,
            workers.jobs,
            catalogue.skills,
            attestations,
            clock,
            seconds,
            storage.stopping,
        ),
    )
