"""Everything the hub can do, wired together from its settings; no web framework.

`Services` is what routes, console and tests call. `open_services` brings the schema up to date.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from envs.examination import CheckLimits
from hub.access.authenticator import Authenticator
from hub.access.hub_key import signing_key
from hub.access.oidc_issuer import Issuer
from hub.access.principal import Viewer
from hub.access.sessions import Sessions
from hub.access.sign_in import SignIn
from hub.access.tokens import Tokens
from hub.catalogue.catalogue import Catalogue
from hub.catalogue.releases import Releaser, Releases
from hub.clock import Clock, utc_now
from hub.deltas.admission import Admission
from hub.deltas.uploads import UploadLimits, Uploads
from hub.events.audit import AuditLog
from hub.events.log import EventLog, Told
from hub.leaderboards.boards import Leaderboards
from hub.leaderboards.scorer import Scorer
from hub.metrics import Metrics
from hub.organisations.accounts import Accounts
from hub.organisations.registry import Organisations
from hub.queue.background_loop import BackgroundLoop, every
from hub.queue.leased_queue import LeasedQueue
from hub.robots.attendance import Attendance
from hub.robots.enrolment import Enrolment
from hub.robots.fits import Fits
from hub.rounds.assignments import Assignments
from hub.rounds.campaigns import Campaigns
from hub.rounds.engine import Engine
from hub.rounds.held_robots import HeldRobots
from hub.rounds.round_steps import Steps
from hub.settings import SPOOL_FOLDER, Settings, parse_networks
from hub.storage.database import Database
from hub.storage.discards import Discards
from hub.storage.listening import Listener
from hub.storage.notify import Bell
from hub.storage.objects import ObjectStore
from hub.storage.regions import HOME, Stores, connect_stores
from hub.storage.retention import Retention
from hub.storage.single_flight import Shared
from hub.storage.spool import Spool
from hub.storage.tables.rounds import CampaignRow
from hub.tasks.checker import Checker
from hub.tasks.registry import Tasks
from hub.tasks.sources import check_task
from hub.webhooks.dispatcher import Dispatcher
from hub.webhooks.envelope import hub_urn
from hub.webhooks.registry import Webhooks
from hub.webhooks.schedule import Schedule
from hub.webhooks.sending import Sender
from hub.webhooks.vault import Vault
from hub.withdrawals.registry import Withdrawals
from hub.withdrawals.worker import Worker
from hub.workers.job import BenchPlan, Gate, Jobs, StoreAddress
from hub.workers.processes import Processes
from hub.workers.timed import Timed
from skills.messages.leaderboards import BOARD
from skills.signing import SigningKey

__all__ = ["Services", "open_services"]

SWEEP_SECONDS = 600.0
ATTENDANCE_SECONDS = 5.0
REQUEST_THREADS = 40
"""In which requests are answered: anyio's own number."""
OTHER_THREADS = 34
"""At most beside those and the engine's: loops and what renews their leases, webhooks, shared looks."""


@dataclass(frozen=True)
class Services:
    """One hub. Reading calls return the messages that the API sends, and ask who looks."""

    settings: Settings
    database: Database
    stores: Stores
    bell: Bell
    accounts: Accounts
    admission: Admission
    assignments: Assignments
    audit: AuditLog
    authenticator: Authenticator
    campaigns: Campaigns
    catalogue: Catalogue
    discards: Discards
    dispatcher: Dispatcher
    engine: Engine
    enrolment: Enrolment
    events: EventLog
    fits: Fits
    jobs: Jobs
    organisations: Organisations
    releases: Releases
    retention: Retention
    releaser: Releaser
    spool: Spool
    tokens: Tokens
    uploads: Uploads
    open_rounds: Shared[str, str]
    held: HeldRobots
    news: Shared[tuple[int, Viewer], Told]
    sessions: Sessions
    sign_in: SignIn
    issuer: Issuer | None
    webhooks: Webhooks
    withdrawals: Withdrawals
    withdrawing: Worker
    leaderboards: Leaderboards
    scorer: Scorer
    background: Jobs
    tasks: Tasks
    checker: Checker
    listener: Listener
    loops: tuple[BackgroundLoop, ...]

    @property
    def store(self) -> ObjectStore:
        """The store of everything that is pinned to no region."""
        return self.stores.of(HOME)

    def start(self) -> None:
        """Begin to work and to listen."""
        for loop in self.loops:
            loop.start()

    def close_streams(self) -> None:
        """End event streams, waiting requests and work in the background, so that the server can go down."""
        self.bell.close()

    def close(self) -> None:
        """Wait for what works in the background, end its jobs, and close all connections."""
        self.close_streams()
        for loop in self.loops:
            loop.stop()
        self.dispatcher.close()
        self.listener.close()
        self.jobs.close()
        self.background.close()
        self.open_rounds.close()
        self.news.close()
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
    threads = REQUEST_THREADS + OTHER_THREADS + 2 * settings.workers
    database = Database(settings.database, bell, threads)
    database.migrate()
    key = signing_key(settings, database)
    stores = connect_stores(settings)
    organisations = Organisations(database, stores, clock)
    organisations.ensure_guild()
    accounts = Accounts(database, clock)
    accounts.ensure_admin(settings.admin_token.get_secret_value(), settings.data_dir)
    spool = Spool(stores.of(HOME), settings.data_dir / SPOOL_FOLDER)
    discards = Discards(database, stores, clock)
    authenticator = Authenticator(database, clock, settings.clock_skew_seconds)
    admission = Admission(database, stores, discards, spool, authenticator.nonces, clock)
    catalogue = Catalogue(database, stores, discards, key, clock)
    limits = UploadLimits(
        delta=settings.delta_limit,
        skill=settings.skill_limit,
        part=settings.part_size,
        seconds=settings.upload_seconds,
    )
    uploads = Uploads(database, stores, spool, admission, catalogue, organisations, clock, limits)
    active = settings.robot_active_seconds
    metrics = metrics or Metrics()
    jobs = Timed(_jobs(settings, stores, gate, metrics), metrics)
    retention = Retention(database, clock, settings.keep_events_days, settings.keep_presence_days)
    steps = Steps(database, discards, jobs, catalogue, clock, active)

    def stopping() -> bool:
        return bell.closed

    seconds = settings.lease_seconds
    running = LeasedQueue(database, CampaignRow, clock, seconds, due=steps.queued, stopping=stopping)
    sessions = Sessions(database, clock, settings.session_seconds, settings.session_idle_seconds)
    campaigns = Campaigns(database, clock, active, _any_task if gate else check_task)
    assignments = Assignments(database, authenticator.nonces, clock, active)
    open_rounds = Shared(bell, assignments.open_round, "zunft-rounds")
    events = EventLog(database)
    attendance = Attendance(database, clock, settings.robot_lost_seconds)
    withdrawing = Worker(database, stores, jobs, catalogue, clock, seconds, stopping)
    background = Timed(_jobs(settings, stores, gate, metrics, background=True), metrics)
    scorer = Scorer(database, stores, background, BOARD, clock, seconds, stopping)
    releaser = Releaser(database, jobs, clock, seconds, stopping)
    checker = Checker(database, jobs, clock, _check_limits(settings), seconds, stopping)
    webhooks, dispatcher = _webhooks(settings, database, key, clock, metrics, stopping)
    engine, listener = Engine(steps, running), Listener(database, bell, events.last)

    def loop(name: str, work: Callable[[], float], *, is_woken: bool = True) -> BackgroundLoop:
        return BackgroundLoop(name, work, bell, metrics, is_woken=is_woken)

    loops = [
        BackgroundLoop(
            "listener", listener.work, bell, metrics, is_woken=False, interrupt=listener.interrupt
        ),
        *(loop(f"engine-{number}", engine.work) for number in range(settings.workers)),
        loop("withdrawals", withdrawing.work),
        loop("webhooks", dispatcher.turn),
        loop("checks", checker.work),
        loop("releases", releaser.work),
        loop("attendance", every(ATTENDANCE_SECONDS, attendance.look), is_woken=False),
        loop("uploads", every(SWEEP_SECONDS, uploads.sweep), is_woken=False),
        loop("discards", every(SWEEP_SECONDS, discards.sweep), is_woken=False),
        loop("retention", every(SWEEP_SECONDS, retention.sweep), is_woken=False),
    ]
    if settings.leaderboards:
        loops.append(loop("scores", scorer.work))
    return Services(
        settings=settings,
        database=database,
        stores=stores,
        bell=bell,
        accounts=accounts,
        admission=admission,
        assignments=assignments,
        audit=AuditLog(database),
        authenticator=authenticator,
        campaigns=campaigns,
        catalogue=catalogue,
        discards=discards,
        dispatcher=dispatcher,
        engine=engine,
        enrolment=Enrolment(database, clock, key.public.text),
        events=events,
        fits=Fits(database),
        jobs=jobs,
        listener=listener,
        organisations=organisations,
        releases=Releases(database, clock),
        retention=retention,
        releaser=releaser,
        open_rounds=open_rounds,
        held=HeldRobots(bell, open_rounds),
        news=Shared(bell, events.told, "zunft-news"),
        spool=spool,
        tokens=Tokens(database, clock),
        uploads=uploads,
        sessions=sessions,
        sign_in=SignIn(database, clock, authenticator, sessions, settings),
        issuer=Issuer(settings, clock) if settings.oidc_issuer else None,
        webhooks=webhooks,
        withdrawals=Withdrawals(database, clock),
        withdrawing=withdrawing,
        leaderboards=Leaderboards(database, stores, BOARD),
        scorer=scorer,
        background=background,
        tasks=Tasks(database, stores, discards, key, clock),
        checker=checker,
        loops=tuple(loops),
    )


def _any_task(*_: object) -> None:
    """Who brings a gate of their own answers for the tasks that it measures."""


def _check_limits(settings: Settings) -> CheckLimits:
    return CheckLimits(
        seconds=settings.check_seconds,
        cpu_seconds=settings.check_cpu_seconds,
        memory=settings.check_memory,
        file_size=settings.check_file_size,
    )


def _webhooks(
    settings: Settings,
    database: Database,
    key: SigningKey,
    clock: Clock,
    metrics: Metrics,
    stopping: Callable[[], bool],
) -> tuple[Webhooks, Dispatcher]:
    vault, source = Vault(key), hub_urn(key.public.text)
    sender = Sender(
        parse_networks(settings.webhook_networks), settings.webhook_plain_http, settings.webhook_seconds
    )
    chance = random.SystemRandom().random
    schedule = Schedule(settings.webhook_retry_seconds, settings.webhook_attempts, chance)
    return (
        Webhooks(database, vault, sender, clock),
        Dispatcher(
            database, vault, sender, schedule, source, clock, metrics, settings.lease_seconds, stopping
        ),
    )


def _jobs(
    settings: Settings, stores: Stores, gate: Gate | None, metrics: Metrics, *, background: bool = False
) -> Jobs:
    """Whoever does jobs; those in the background, one at a time, have a worker of their own."""
    plan = BenchPlan(
        stores={region: _address(settings, region) for region in (HOME, *stores.regions)},
        spool=settings.data_dir.absolute() / SPOOL_FOLDER,
        device=settings.merge_device,
        on_ray=settings.jobs == "ray",
        ray_address=settings.ray_address,
        log_level=settings.log_level,
        background=background,
    )
    if gate is None:
        count, idle = 1 if background else settings.workers, settings.worker_idle_seconds
        return Processes(plan, count, idle, on_death=metrics.workers_died.inc)
    from hub.workers.bench import open_bench  # noqa: PLC0415 - what workers need and this process does not
    from hub.workers.inprocess import InProcess  # noqa: PLC0415

    return InProcess(open_bench(plan, stores.of, gate))


def _address(settings: Settings, region: str) -> StoreAddress:
    url, keys = settings.place(region)
    return StoreAddress(
        url=url,
        access_key=keys.access_key.get_secret_value(),
        secret_key=keys.secret_key.get_secret_value(),
    )
