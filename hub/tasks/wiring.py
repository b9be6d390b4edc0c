"""How published tasks are put together."""

from __future__ import annotations

from dataclasses import dataclass

from envs.examination import CheckLimits
from hub.access.wiring import AccessWing
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.tasks.checker import Checker
from hub.tasks.registry import Tasks
from hub.workers.wiring import WorkersWing

__all__ = ["TasksWing", "wire"]


@dataclass(frozen=True)
class TasksWing:
    """Taking tasks in, and having them examined."""

    registry: Tasks
    checker: Checker


def wire(
    settings: Settings, storage: StorageWing, access: AccessWing, workers: WorkersWing, clock: Clock
) -> TasksWing:
    """Examinations begin with the checker's loop."""
    database, seconds = storage.database, settings.lease_seconds
    limits = CheckLimits(
        seconds=settings.check_seconds,
        cpu_seconds=settings.check_cpu_seconds,
        memory=settings.check_memory,
        file_size=settings.check_file_size,
    )
    return TasksWing(
        registry=Tasks(database, storage.stores, storage.discards, access.key, clock),
        checker=Checker(database, workers.jobs, clock, limits, seconds, storage.stopping),
    )
