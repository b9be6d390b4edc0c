"""How campaigns and their rounds are put together."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.attestations.keeping import Attestations
from hub.catalogue.wiring import CatalogueWing
from hub.clock import Clock
from hub.queue.leased_queue import LeasedQueue
from hub.rounds.assignments import Assignments
from hub.rounds.campaigns import Campaigns, CheckTask
from hub.rounds.engine import RoundEngine
from hub.rounds.held_robots import HeldRobots
from hub.rounds.round_steps import RoundSteps
from hub.settings import Settings
from hub.storage.single_flight import Shared
from hub.storage.tables.rounds import CampaignRow
from hub.storage.wiring import StorageWing
from hub.workers.wiring import WorkersWing

__all__ = ["RoundsWing", "wire"]


@dataclass(frozen=True)
class RoundsWing:
    """Orders, what robots are to do, who waits for that, and what moves rounds on.

    Attributes:
        open: Which round of a skill is open, looked up once for all who wait.
    """

    campaigns: Campaigns
    assignments: Assignments
    open: Shared[str, str]
    held: HeldRobots
    engine: RoundEngine


def wire(
    settings: Settings,
    storage: StorageWing,
    access: AccessWing,
    workers: WorkersWing,
    catalogue: CatalogueWing,
    attestations: Attestations,
    clock: Clock,
    check: CheckTask,
) -> RoundsWing:
    """Rounds move on with the engine's loops; `check` refuses campaigns for tasks that cannot be measured."""
    database, bell, active = storage.database, storage.bell, settings.robot_active_seconds
    assignments = Assignments(database, access.authenticator.nonces, clock, active)
    open_rounds = Shared(bell, assignments.open_round, "zunft-rounds")
    steps = RoundSteps(
        database,
        storage.discards,
        workers.jobs,
        catalogue.skills,
        attestations,
        clock,
        active,
        settings.core_watts,
    )
    running = LeasedQueue(
        database, CampaignRow, clock, settings.lease_seconds, due=steps.queued, stopping=storage.stopping
    )
    return RoundsWing(
        campaigns=Campaigns(database, clock, active, check),
        assignments=assignments,
        open=open_rounds,
        held=HeldRobots(bell, open_rounds),
        engine=RoundEngine(steps, running),
    )
