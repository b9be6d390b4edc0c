"""How what happened is read and heard."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.principal import Viewer
from hub.clock import Clock
from hub.events.audit import AuditLog
from hub.events.log import EventLog, Told
from hub.events.witness import AuditWitness
from hub.settings import Settings
from hub.storage.listening import Listener
from hub.storage.single_flight import Shared
from hub.storage.wiring import StorageWing

__all__ = ["EventsWing", "wire"]


@dataclass(frozen=True)
class EventsWing:
    """Both logs, the witness of one, the news for all who wait, and what hears other processes."""

    log: EventLog
    audit: AuditLog
    witness: AuditWitness
    news: Shared[tuple[int, Viewer], Told]
    listener: Listener

    def close(self) -> None:
        """Let go of everybody who waits."""
        self.listener.close()
        self.news.close()


def wire(settings: Settings, storage: StorageWing, clock: Clock) -> EventsWing:
    """Nothing is heard before the listener works."""
    log = EventLog(storage.database)
    return EventsWing(
        log=log,
        audit=AuditLog(storage.database),
        witness=AuditWitness(storage.database, settings.audit_place, clock),
        news=Shared(storage.bell, log.told, "zunft-news"),
        listener=Listener(storage.database, storage.bell, log.last),
    )
