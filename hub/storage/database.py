"""Connections, transactions and migrations: SQLite in WAL mode, or PostgreSQL.

`read` gives a consistent snapshot. `write` is one transaction that is durable when it returns; on
SQLite it takes the write lock at its start, so that two writers wait instead of failing half-way.
Rules live with their nouns (`catalogue`, `rounds`, ...); the tables are `hub.storage.tables`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

from hub.storage.notify import Bell
from skills.errors import NotFoundError, ZunftError

__all__ = [
    "DIALECTS",
    "Database",
    "SettingsError",
    "announce",
    "dialect_of",
    "existing_database",
    "insert_of",
    "open_database",
    "table_of",
]

MIGRATIONS = Path(__file__).parent / "migrations"
NEWS = "zunft.news"
"""Key in `Session.info`: what `announce` was told."""
KEPT = 24
"""Connections that stay open: one beyond them is made anew each time, and reads a whole schema of SQLite."""
CHANNEL = "zunft"
DIALECTS: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
"""Of the databases that a hub can have, and how each inserts."""
MIGRATING = "SELECT pg_advisory_xact_lock(2079420002)"


class SettingsError(ZunftError):
    """The hub cannot start with these settings."""

    code = "bad_settings"
    status = 500


class Database:
    """One engine, two kinds of transaction, and the bell that rings after a commit with news.

    Args:
        url: SQLAlchemy address.
        bell: Rung after a commit with news.
        threads: How many may be in a transaction at once: none of them waits for a connection.
    """

    def __init__(self, url: str, bell: Bell, threads: int = KEPT) -> None:
        self._engine = _create_engine(url, threads)
        self._bell = bell
        # PostgreSQL's default lets each statement see what was committed meanwhile: no snapshot.
        isolation = {"isolation_level": "REPEATABLE READ"} if self._is_postgresql else {}
        self._readers = sessionmaker(self._engine.execution_options(**isolation), expire_on_commit=False)
        # SQLite has one writer at a time and lets others sleep and try again. A lock wakes the next one at
        # once, and a connection of the writer's own is never waited for behind those who only read.
        self._turn = nullcontext() if self._is_postgresql else threading.Lock()
        self._writer = self._engine if self._is_postgresql else _create_engine(url, threads)
        writing = self._writer.execution_options(zunft_write=True)
        self._writers = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A snapshot; nothing is kept."""
        with self._readers() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: all of it or, on any exception, nothing."""
        with self._turn, self._writers.begin() as session:
            yield session
            news: int | None = session.info.get(NEWS)
            if news is not None and self._is_postgresql:
                session.execute(text(f"NOTIFY {CHANNEL}"))  # with the commit, to the hub's other processes
        if news:
            self._bell.hear(news)
        elif news is not None:
            self._bell.ring()

    @contextmanager
    def trial(self) -> Iterator[Session]:
        """A transaction like `write` that is undone at its end: nothing is kept, and nobody hears of it."""
        with self._turn, self._writers() as session:
            yield session

    @contextmanager
    def listen(self) -> Iterator[Callable[[float], object] | None]:
        """A wait of at most so many seconds for the news of other processes; None where none can be sent.

        Raises:
            OperationalError: Or the wait does, with the driver's own error, once the connection is lost.
        """
        if not self._is_postgresql:
            yield None
            return
        with self._engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.detach()  # nobody else shall have it, also not afterwards
            driver.autocommit = True
            driver.execute(f"LISTEN {CHANNEL}")
            yield lambda seconds: list(driver.notifies(timeout=seconds, stop_after=1))

    def notify(self) -> None:
        """Wake all who listen, with no news."""
        if self._is_postgresql:
            with self._writers.begin() as session:
                session.execute(text(f"NOTIFY {CHANNEL}"))

    @property
    def _is_postgresql(self) -> bool:
        return self._engine.dialect.name == "postgresql"

    def migrate(self) -> None:
        """Bring the schema to this program's version; data stays. Several processes may do so at once.

        Raises:
            SettingsError: The schema is none of this program's; nothing was changed.
        """
        config = _migrations()
        with self._writer.execution_options(zunft_write=True).begin() as connection:
            if self._is_postgresql:  # SQLite has one writer at a time anyway
                connection.execute(text(MIGRATING))
            _check_known(config, connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def schema(self) -> tuple[str, str]:
        """The schema that the database has, empty where it has none, and the one of this program."""
        newest = ScriptDirectory.from_config(_migrations()).get_current_head() or ""
        with self._engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision() or "", newest

    def check(self) -> None:
        """One trip to the database; raises SQLAlchemy's errors."""
        with self.read() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._writer.dispose()


def announce(session: Session, number: int = 0) -> None:
    """Have all who wait woken once this transaction of `Database.write` is committed.

    Args:
        session: The transaction.
        number: Of the event that it records; 0 for what is no event.
    """
    session.info[NEWS] = max(number, session.info.get(NEWS, 0))


def dialect_of(session: Session) -> str:
    """Which of `DIALECTS` a session speaks."""
    return session.get_bind().dialect.name


def insert_of(dialect: str, table: type[DeclarativeBase]) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say, in a database's dialect, what happens to rows that are there already."""
    return DIALECTS[dialect](table_of(table))


def table_of(mapped: type[DeclarativeBase]) -> Table:
    """For writing: what changes the table alone is not put together anew with each execution."""
    return cast("Table", mapped.__table__)


@contextmanager
def existing_database(url: str, *, migrate: bool = True) -> Iterator[Database]:
    """The database of a hub that is there, for commands beside it; its schema is brought up to date.

    Args:
        url: SQLAlchemy address.
        migrate: False leaves the schema as it is.

    Raises:
        NotFoundError: There is none, and none is made.
        SettingsError: See `open_database`.
    """
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise NotFoundError(
            "there is no hub's database.",
            where=str(address.database),
            remedy="Name the hub's folder with --data-dir, or set ZUNFT_DATABASE_URL as for the hub.",
        )
    with open_database(url) as database:
        if migrate:
            database.migrate()
        yield database


@contextmanager
def open_database(url: str) -> Iterator[Database]:
    """A database for the time of one command.

    Raises:
        SettingsError: The address is none, or nobody answers there.
    """
    database = Database(url, Bell())
    try:
        yield database
    except OperationalError as error:
        raise SettingsError(
            f"the database does not answer: {error.orig}.",
            where="database_url",
            remedy="Check that it is up, and address and password; then repeat the command.",
        ) from error
    finally:
        database.close()


def _check_known(config: Config, connection: Connection) -> None:
    """Refuse a database that a Zunft before the first release made, or one after this."""
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = MigrationContext.configure(connection).get_current_revision()
    if found is not None and found not in known:
        raise SettingsError(
            f"the database has schema {found}, which this program does not know; nothing was changed.",
            where="database_url",
            remedy=(
                "Run the Zunft that made it; or start this one with a new --data-dir"
                " (or ZUNFT_DATABASE_URL) and publish skills and tasks anew."
            ),
        )


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def _create_engine(url: str, threads: int) -> Engine:
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise SettingsError(
            "this is not a database address.",
            where="database_url",
            remedy="Write sqlite:////path/hub.sqlite or postgresql+psycopg://user@host/name.",
        ) from error
    pool = {"pool_size": KEPT, "max_overflow": max(0, threads - KEPT), "pool_use_lifo": True}
    if address.get_backend_name() != "sqlite":
        return create_engine(address, pool_pre_ping=True, **pool)
    if address.database:
        Path(address.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(address, connect_args={"timeout": 30}, **pool)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver would begin transactions on its own, and too late; see `_begin_sqlite`.
    connection.isolation_level = None
    # Half a MB of pages for each connection: the system keeps the file in memory anyway, once for all.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-500"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("zunft_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
