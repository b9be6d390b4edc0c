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
from hub.events import EventLog, News
from hub.gate import Gate, HeldOutGate
from hub.issuer import Issuer
from hub.merger import Merger
from hub.merging import choose_engine
from hub.metrics import Metrics
from hub.releases import Releases
from hub.sessions import Sessions
from hub.settings import Settings
from hub.sharing import Shared
from hub.sign_in import SignIn
from hub.spool import Spool
from hub.steps import Steps
from hub.store import ObjectStore, open_store
from skills.signing import SigningKey

__all__ = ["SPOOL_FOLDER", "Services", "connect_store", "open_services"]

KEY_FILE = "hub-key.pem"
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
    releases: Releases
    open_rounds: Shared[str, str]
    news: Shared[int, News]
    sessions: Sessions
    sign_in: SignIn
    issuer: Issuer | None

    def close_streams(self) -> None:
        """End event streams and waiting requests, so that the server can go down."""
        self.bell.close()

    def close(self) -> None:
        """Stop the engine and close all connections."""
        self.close_streams()
        self.engine.stop()
        self.open_rounds.close()
        self.news.close()
        self.database.close()


def open_services(
    settings: Settings, *, gate: Gate | None = None, clock: Clock = utc_now, metrics: Metrics | None = None
) -> Services:
    """Wire a hub; the engine is not started.

    Args:
        settings: The hub's configuration.
        gate: How candidates are measured; by default in simulation on held-out variations.
        clock: The time.
        metrics: Where merging and gating are timed; nobody reads them by default.

    Raises:
        SettingsError, StoreError, MergeError: The database, the store or the merging device cannot be used.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    key = SigningKey.load_or_create(settings.data_dir / KEY_FILE)
    bell = Bell()
    database = Database(settings.database, bell)
    database.migrate()
    store = connect_store(settings)
    accounts = Accounts(database, clock)
    accounts.ensure_admin(settings.admin_token.get_secret_value(), settings.data_dir)
    catalogue = Catalogue(database, store, key, clock)
    active = settings.robot_active_seconds
    metrics = metrics or Metrics()
    measuring = metrics.timed(gate or HeldOutGate())
    merger = Merger(
        store,
        Spool(store, settings.data_dir / SPOOL_FOLDER),
        choose_engine(settings.merge_device, ray_address=settings.ray_address),
    )
    merger.prepare()
    authenticator = Authenticator(database, clock, settings.clock_skew_seconds)
    sessions = Sessions(database, clock, settings.session_seconds, settings.session_idle_seconds)
    campaigns, events = Campaigns(database, clock, active), EventLog(database)
    steps = Steps(database, store, merger, catalogue, measuring, clock, active, metrics)
    return Services(
        settings=settings,
        database=database,
        store=store,
        bell=bell,
        accounts=accounts,
        admission=Admission(database, store, clock),
        audit=AuditLog(database),
        authenticator=authenticator,
        campaigns=campaigns,
        catalogue=catalogue,
        engine=Engine(database, steps, bell),
        enrolment=Enrolment(database, clock, key.public.text),
        events=events,
        releases=Releases(catalogue, measuring),
        open_rounds=Shared(bell, campaigns.open_round, "zunft-rounds"),
        news=Shared(bell, events.news, "zunft-news"),
        sessions=sessions,
        sign_in=SignIn(database, clock, authenticator, sessions, settings),
        issuer=Issuer(settings, clock) if settings.oidc_issuer else None,
    )


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
