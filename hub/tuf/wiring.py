"""How signed metadata are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.clock import Clock
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.tuf.repository import Repository
from hub.tuf.roots import ensure_root

__all__ = ["TufWing", "wire"]


@dataclass(frozen=True)
class TufWing:
    """What the guild vouches for."""

    repository: Repository


def wire(settings: Settings, storage: StorageWing, access: AccessWing, clock: Clock) -> TufWing:
    """A new hub makes its root of trust."""
    ensure_root(settings, storage.database, access.key, clock())
    return TufWing(Repository(storage.database, access.key, clock))
