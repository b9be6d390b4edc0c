"""Everything the hub can do, wired together from its settings; no web framework.

`Services` is what routes, console and tests call. `open_services` brings the schema up to date.
"""

from __future__ import annotations

from dataclasses import dataclass

from hub.accounts import Accounts
from hub.admission import Admission
from hub.audit import AuditLog
from hub.auth import Authenticator
from hub.bell import Bell
from hub.campaigns import Campaigns
from hub.catalogue import Catalogue
from hub.clock import Clock, utc_now
from hub.database import Database
from hub.engine import Engine
from hub.enrolment import Enrolment
from hub.events import EventLog
from hub.identity import signing_key
from hub.jobs.job import BenchPlan, Gate, Jobs
from hub.jobs.processes import Processes
from hub.jobs.timed import Timed
from hub.leaseholder import Leaseholder
from hub.listening import Listener
from hub.metrics import Metrics
from hub.releases import Releases
from hub.settings import Settings
from hub.steps import Steps
from hub.store import ObjectStore, open_store

__all__ = ["SPOOL_FOLDER", "Services", "connect_store", "open_services"]

SPOOL_FOLDER = "spool"


@dataclass(frozen=True)
class Services:
    """One hub. Reading calls return the messages that the API sends."""

    settings: Settings
    database: Database
    store: ObjectStore
    bell: Bell
    accounts: Accounts
    admission: Admission
    audit: AuditLog
    authenticator: Authenticator
    campaigns: Campaigns
    catalogue: Catalogue
    engine: Engine
    enrolment: Enrolment
    events: EventLog
    jobs: Jobs
    listener: Listener
    releases: Releases

    def start(self) -> None:
        """Begin to work and to listen."""
        self.listener.start()
        self.engine.start()

    def close_streams(self) -> None:
        """End event streams and waiting requests, so that the server can go down."""
        self.bell.close()

    def close(self) -> None:
        """Stop the engine and its jobs, and close all connections."""
        self.close_streams()
        self.engine.stop()
        self.listener.stop()
        self.jobs.close()
        self.database.close()


def open_services(
    settings: Settings, *, gate: Gate | None = None, clock: Clock = utc_now, metrics: Metrics | None = None
) -> Services:
    """Wire a hub; the engine is not started.

    Args:
        settings: The hub's configuration.
        gate: How candidates are measured, in this process; by default in worker processes, in simulation.
        clock: The time.
        metrics: Where merging and gating are timed; nobody reads them by default.

    Raises:
        SettingsError, StoreError: The database or the store cannot be used.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    bell = Bell()
    database = Database(settings.database, bell)
    database.migrate()
    key = signing_key(settings, database)
    store = connect_store(settings)
    accounts = Accounts(database, clock)
    accounts.ensure_admin(settings.admin_token.get_secret_value(), settings.data_dir)
    catalogue = Catalogue(database, store, key, clock)
    active = settings.robot_active_seconds
    metrics = metrics or Metrics()
    jobs = Timed(_jobs(settings, store, gate, metrics), metrics)
    steps = Steps(database, store, jobs, catalogue, clock, active)
    leaseholder = Leaseholder(database, clock, settings.lease_seconds)
    return Services(
        settings=settings,
        database=database,
        store=store,
        bell=bell,
        accounts=accounts,
        admission=Admission(database, store, clock),
        audit=AuditLog(database),
        authenticator=Authenticator(database, clock, settings.clock_skew_seconds),
        campaigns=Campaigns(database, clock, active),
        catalogue=catalogue,
        engine=Engine(steps, leaseholder, bell, settings.workers),
        enrolment=Enrolment(database, clock, key.public.text),
        events=EventLog(database),
        jobs=jobs,
        listener=Listener(database, bell),
        releases=Releases(catalogue, jobs),
    )


def _jobs(settings: Settings, store: ObjectStore, gate: Gate | None, metrics: Metrics) -> Jobs:
    plan = BenchPlan(
        store=settings.store,
        s3_access_key=settings.s3_access_key.get_secret_value(),
        s3_secret_key=settings.s3_secret_key.get_secret_value(),
        spool=settings.data_dir.absolute() / SPOOL_FOLDER,
        device=settings.merge_device,
        on_ray=settings.jobs == "ray",
        ray_address=settings.ray_address,
        log_level=settings.log_level,
    )
    if gate is None:
        idle = settings.worker_idle_seconds
        return Processes(plan, settings.workers, idle, on_death=metrics.workers_died.inc)
    from hub.jobs.bench import open_bench  # noqa: PLC0415 - what workers need and this process does not
    from hub.jobs.inprocess import InProcess  # noqa: PLC0415

    return InProcess(open_bench(plan, store, gate))


def connect_store(settings: Settings) -> ObjectStore:
    """The object store of these settings.

    Raises:
        StoreError: The address or the credentials cannot be used.
    """
    return open_store(
        settings.store,
        access_key=settings.s3_access_key.get_secret_value(),
        secret_key=settings.s3_secret_key.get_secret_value(),
    )
