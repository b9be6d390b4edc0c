"""How machines' health is put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.clock import Clock
from hub.health.book import HealthBook
from hub.settings import Settings
from hub.storage.wiring import StorageWing

__all__ = ["HealthWing", "wire"]


@dataclass(frozen=True)
class HealthWing:
    """What robots tell of their machines."""

    book: HealthBook


def wire(settings: Settings, storage: StorageWing, clock: Clock) -> HealthWing:
    """Nothing works in the background."""
    return HealthWing(HealthBook(storage.database, clock, settings.health_robots))
