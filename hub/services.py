"""Everything the hub can do, one wing after the other; no web framework.

`Services` is what routes, console and tests call. What a wing consists of is said in its own `wiring`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.access.wiring import wire as wire_access
from hub.attestations.wiring import AttestationsWing
from hub.attestations.wiring import wire as wire_attestations
from hub.catalogue.wiring import CatalogueWing
from hub.catalogue.wiring import wire as wire_catalogue
from hub.clock import Clock, utc_now
from hub.deltas.wiring import DeltasWing
from hub.deltas.wiring import wire as wire_deltas
from hub.events.wiring import EventsWing
from hub.events.wiring import wire as wire_events
from hub.halls.wiring import HallsWing
from hub.halls.wiring import wire as wire_halls
from hub.health.wiring import HealthWing
from hub.health.wiring import wire as wire_health
from hub.leaderboards.wiring import LeaderboardsWing
from hub.leaderboards.wiring import wire as wire_leaderboards
from hub.metrics import Metrics
from hub.organisations.wiring import OrganisationsWing
from hub.organisations.wiring import wire as wire_organisations
from hub.overview.wiring import OverviewWing
from hub.overview.wiring import wire as wire_overview
from hub.queue.background_loop import BackgroundLoop, every
from hub.robots.wiring import RobotsWing
from hub.robots.wiring import wire as wire_robots
from hub.rollouts.wiring import RolloutsWing
from hub.rollouts.wiring import wire as wire_rollouts
from hub.rounds.wiring import RoundsWing
from hub.rounds.wiring import wire as wire_rounds
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.storage.wiring import wire as wire_storage
from hub.tasks.sources import check_task
from hub.tasks.wiring import TasksWing
from hub.tasks.wiring import wire as wire_tasks
from hub.tuf.wiring import TufWing
from hub.tuf.wiring import wire as wire_tuf
from hub.webhooks.wiring import WebhooksWing
from hub.webhooks.wiring import wire as wire_webhooks
from hub.withdrawals.wiring import WithdrawalsWing
from hub.withdrawals.wiring import wire as wire_withdrawals
from hub.workers.job import Gate
from hub.workers.wiring import WorkersWing
from hub.workers.wiring import wire as wire_workers

__all__ = ["Services", "open_services"]

SWEEP_SECONDS = 600.0
ATTENDANCE_SECONDS = 5.0
WITNESS_SECONDS = 2.0
METADATA_SECONDS = 60.0
ROLLOUT_SECONDS = 3.0


@dataclass(frozen=True)
class Services:
    """One hub. Reading calls return the messages that the API sends, and ask who looks."""

    settings: Settings
    metrics: Metrics
    storage: StorageWing
    access: AccessWing
    events: EventsWing
    organisations: OrganisationsWing
    workers: WorkersWing
    tuf: TufWing
    tasks: TasksWing
    attestations: AttestationsWing
    catalogue: CatalogueWing
    robots: RobotsWing
    leaderboards: LeaderboardsWing
    rollouts: RolloutsWing
    health: HealthWing
    rounds: RoundsWing
    webhooks: WebhooksWing
    deltas: DeltasWing
    withdrawals: WithdrawalsWing
    halls: HallsWing
    overview: OverviewWing
    loops: list[BackgroundLoop]

    def start(self) -> None:
        """Begin to work and to listen."""
        for loop in self.loops:
            loop.start()

    def listen(self) -> None:
        """Hear what other processes of the hub write, and do no work: for a process that only reads."""
        self.loops[0].start()

    def close_streams(self) -> None:
        """End event streams, waiting requests and work in the background, so that the server can go down."""
        self.storage.bell.close()

    def close(self) -> None:
        """Wait for what works in the background, end its jobs, and close all connections."""
        self.close_streams()
        for loop in self.loops:
            loop.stop()
        self.webhooks.dispatcher.close()
        self.workers.close()
        self.rounds.open.close()
        self.organisations.registry.close()
        self.events.close()
        self.storage.database.close()


def open_services(
    settings: Settings, *, gate: Gate | None = None, clock: Clock = utc_now, metrics: Metrics | None = None
) -> Services:
    """Wire a hub; nothing works yet.

    Args:
        settings: The hub's configuration.
        gate: How candidates are measured, in this process; by default in worker processes, in simulation.
        clock: The time.
        metrics: Where merging and gating are timed; nobody reads them by default.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    metrics = metrics or Metrics()
    storage = wire_storage(settings, clock)
    access = wire_access(settings, storage, clock)
    events = wire_events(settings, storage, clock)
    organisations = wire_organisations(settings, storage, clock)
    workers = wire_workers(settings, storage.stores, gate, metrics)
    attestations = wire_attestations(settings, storage, access, clock, in_process=gate is not None)
    vouch = attestations.keeping
    catalogue = wire_catalogue(settings, storage, vouch, workers, clock)
    tuf = wire_tuf(settings, storage, access, clock)
    check = _any_task if gate else check_task
    robots = wire_robots(settings, storage, access, vouch.gate_key, tuf, clock)
    rollouts = wire_rollouts(settings, storage, workers, catalogue, vouch, clock)
    rounds = wire_rounds(settings, storage, access, workers, catalogue, vouch, clock, check)
    services = Services(
        settings=settings,
        metrics=metrics,
        storage=storage,
        access=access,
        events=events,
        organisations=organisations,
        workers=workers,
        tuf=tuf,
        tasks=wire_tasks(settings, storage, access, workers, clock),
        attestations=attestations,
        catalogue=catalogue,
        robots=robots,
        leaderboards=wire_leaderboards(settings, storage, workers, clock),
        rollouts=rollouts,
        health=wire_health(settings, storage, clock),
        rounds=rounds,
        webhooks=wire_webhooks(settings, storage, access, clock, metrics),
        deltas=wire_deltas(settings, storage, access, catalogue, organisations, clock),
        withdrawals=wire_withdrawals(settings, storage, workers, catalogue, vouch, clock),
        halls=wire_halls(storage, catalogue, rounds.campaigns, vouch, clock),
        overview=wire_overview(events, organisations, catalogue, robots, rounds, rollouts),
        loops=[],
    )
    services.loops.extend(_loops(services))
    return services


def _loops(services: Services) -> list[BackgroundLoop]:
    """All work in the background; who hears other processes comes first."""
    storage, metrics, listener = services.storage, services.metrics, services.events.listener

    def loop(
        name: str, work: Callable[[], float], *, is_woken: bool = True, is_urgent: bool = False
    ) -> BackgroundLoop:
        return BackgroundLoop(name, work, storage.bell, metrics, is_woken=is_woken, is_urgent=is_urgent)

    def regularly(name: str, seconds: float, do: Callable[[], bool | None]) -> BackgroundLoop:
        return loop(name, every(seconds, do), is_woken=False)

    found = [
        BackgroundLoop(
            "listener", listener.work, storage.bell, metrics, is_woken=False, interrupt=listener.interrupt
        ),
        *(
            loop(f"engine-{number}", services.rounds.engine.work, is_urgent=True)
            for number in range(services.settings.workers)
        ),
        loop("withdrawals", services.withdrawals.worker.work),
        loop("webhooks", services.webhooks.dispatcher.turn),
        loop("checks", services.tasks.checker.work),
        loop("releases", services.catalogue.releaser.work),
        regularly("rollouts", ROLLOUT_SECONDS, services.rollouts.engine.run_once),
        regularly("attendance", ATTENDANCE_SECONDS, services.robots.attendance.look),
        regularly("audit heads", WITNESS_SECONDS, services.events.witness.look),
        regularly("metadata", METADATA_SECONDS, services.tuf.repository.renew),
        regularly("uploads", SWEEP_SECONDS, services.deltas.uploads.sweep),
        regularly("discards", SWEEP_SECONDS, storage.discards.sweep),
        regularly("retention", SWEEP_SECONDS, storage.retention.sweep),
    ]
    if services.settings.leaderboards:
        found.append(loop("scores", services.leaderboards.scorer.work))
        found.append(loop("controllers", services.leaderboards.yardsticks.work))
    return found


def _any_task(*_: object) -> None:
    """Who brings a gate of their own answers for the tasks that it measures."""
