"""How a hub's storage is put together: database, object stores, and the files on their way."""

from __future__ import annotations

from dataclasses import dataclass

from hub.clock import Clock
from hub.settings import SPOOL_FOLDER, Settings
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.notify import Bell
from hub.storage.objects import ObjectStore
from hub.storage.regions import HOME, Stores, connect_stores
from hub.storage.retention import Retention
from hub.storage.spool import Spool

__all__ = ["OTHER_THREADS", "REQUEST_THREADS", "StorageWing", "wire"]

REQUEST_THREADS = 40
"""In which requests are answered: anyio's own number."""
OTHER_THREADS = 34
"""At most beside those and the engine's: loops and what renews their leases, webhooks, shared looks."""


@dataclass(frozen=True)
class StorageWing:
    """Where a hub keeps things, and the bell that rings when something was written."""

    database: Database
    bell: Bell
    stores: Stores
    spool: Spool
    discards: Discards
    retention: Retention

    @property
    def store(self) -> ObjectStore:
        """The store of everything that is pinned to no region."""
        return self.stores.of(HOME)

    def stopping(self) -> bool:
        """Whether the hub is going down."""
        return self.bell.closed


def wire(settings: Settings, clock: Clock) -> StorageWing:
    """Connect, and bring the schema up to date.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bell = Bell()
    database = Database(settings.database, bell, REQUEST_THREADS + OTHER_THREADS + 2 * settings.workers)
    database.migrate()
    stores = connect_stores(settings)
    return StorageWing(
        database=database,
        bell=bell,
        stores=stores,
        spool=Spool(stores.of(HOME), settings.data_dir / SPOOL_FOLDER),
        discards=Discards(database, stores, clock),
        retention=Retention(database, clock, settings.keep_events_days, settings.keep_presence_days),
    )
