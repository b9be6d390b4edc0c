"""How leaderboards are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.clock import Clock
from hub.leaderboards.boards import Leaderboards
from hub.leaderboards.confirmations import Confirmations
from hub.leaderboards.scorer import Scorer
from hub.leaderboards.yardsticks import Yardsticks
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.workers.wiring import WorkersWing
from skills.messages.leaderboards import BOARD

__all__ = ["LeaderboardsWing", "wire"]


@dataclass(frozen=True)
class LeaderboardsWing:
    """The boards, what scores skills and controllers for them, and what others measured."""

    boards: Leaderboards
    confirmations: Confirmations
    scorer: Scorer
    yardsticks: Yardsticks


def wire(settings: Settings, storage: StorageWing, workers: WorkersWing, clock: Clock) -> LeaderboardsWing:
    """Scoring begins with the scorer's loop, where the settings want it."""
    database, stores, seconds = storage.database, storage.stores, settings.lease_seconds
    jobs, stopping = workers.background, storage.stopping
    return LeaderboardsWing(
        boards=Leaderboards(database, stores, BOARD),
        confirmations=Confirmations(database, stores, storage.discards, clock),
        scorer=Scorer(database, stores, jobs, BOARD, clock, seconds, stopping),
        yardsticks=Yardsticks(database, jobs, BOARD, clock, seconds, stopping),
    )
