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
from hub.gate import Gate, HeldOutGate
from hub.merger import Merger
from hub.merging import choose_engine
from hub.metrics import Metrics
from hub.organisations import Organisations
from hub.regions import HOME, Stores, connect_stores
from hub.releases import Releases
from hub.settings import Settings
from hub.spool import Spool
from hub.steps import Steps
from hub.store import ObjectStore
from hub.tokens import Tokens
from skills.signing import SigningKey

__all__ = ["SPOOL_FOLDER", "Services", "open_services"]

KEY_FILE = "hub-key.pem"
SPOOL_FOLDER = "spool"


@dataclass(frozen=True)
class Services:
    """One hub. Reading calls return the messages that the API sends, and ask who looks."""

    settings: Settings
    database: Database
    stores: Stores
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
    organisations: Organisations
    releases: Releases
    tokens: Tokens

    @property
    def store(self) -> ObjectStore:
        """The store of everything that is pinned to no region."""
        return self.stores.of(HOME)

    def close_streams(self) -> None:
        """End event streams and waiting requests, so that the server can go down."""
        self.bell.close()

    def close(self) -> None:
        """Stop the engine and close all connections."""
        self.close_streams()
        self.engine.stop()
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
    stores = connect_stores(settings)
    organisations = Organisations(database, stores, clock)
    organisations.ensure_guild()
    accounts = Accounts(database, clock)
    accounts.ensure_admin(settings.admin_token.get_secret_value(), settings.data_dir)
    catalogue = Catalogue(database, stores, key, clock)
    active = settings.robot_active_seconds
    metrics = metrics or Metrics()
    measuring = metrics.timed(gate or HeldOutGate())
    engine = choose_engine(settings.merge_device, ray_address=settings.ray_address)

    def merger_in(region: str) -> Merger:
        store = stores.of(region)
        return Merger(store, Spool(store, settings.data_dir / SPOOL_FOLDER), engine)

    merger_in(HOME).prepare()
    steps = Steps(database, stores, merger_in, catalogue, measuring, clock, active, metrics)
    return Services(
        settings=settings,
        database=database,
        stores=stores,
        bell=bell,
        accounts=accounts,
        admission=Admission(database, stores, clock),
        audit=AuditLog(database),
        authenticator=Authenticator(database, clock, settings.clock_skew_seconds),
        campaigns=Campaigns(database, clock, active),
        catalogue=catalogue,
        engine=Engine(database, steps, bell),
        enrolment=Enrolment(database, clock, key.public.text),
        events=EventLog(database),
        organisations=organisations,
        releases=Releases(catalogue, measuring),
        tokens=Tokens(database, clock),
    )
