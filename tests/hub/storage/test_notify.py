"""The bell across processes: two hubs' databases, on one PostgreSQL and on one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from hub.events.log import EventLog
from hub.metrics import Metrics
from hub.queue.background_loop import BackgroundLoop
from hub.storage.database import Database
from hub.storage.listening import Listener
from hub.storage.notify import Bell
from hub.storage.record import record
from tests.eventually import eventually
from tests.hub.conftest import Hands
from tests.hub.servers import postgres

PATIENCE = 30.0
NEVER = 3600.0


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        database = Database(url, Bell())
        database.migrate()
        database.close()
        yield url


def tell(url: str) -> None:
    """Another process does something."""
    database = Database(url, Bell())
    with database.write() as session:
        record(session, "test", Hands()())
    database.close()


class Ear:
    """One process that listens."""

    def __init__(self, url: str, look_seconds: float) -> None:
        self.bell = Bell()
        self.database = Database(url, self.bell)
        self.database.migrate()
        listener = Listener(self.database, self.bell, EventLog(self.database).last, look_seconds)
        self._listener = listener
        self._loop = BackgroundLoop(
            "listener", listener.work, self.bell, Metrics(), is_woken=False, interrupt=listener.interrupt
        )
        self._loop.start()

    def hears(self, seen: int) -> bool:
        self.bell.wait(seen, PATIENCE)
        return self.bell.rings > seen

    def close(self) -> None:
        self.bell.close()
        self._loop.stop()
        self._listener.close()
        self.database.close()


def listens(url: str) -> bool:
    """Whether somebody waits for notifications there."""
    database = Database(url, Bell())
    with database.read() as session:
        found = session.scalar(text("SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN zunft'"))
    database.close()
    return bool(found)


def test_postgresql_wakes_other_processes_at_once_and_each_only_once(postgres_url: str) -> None:
    tell(postgres_url)
    ear = Ear(postgres_url, NEVER)
    assert ear.hears(0)  # what was there before it listened
    for _ in range(3):
        seen = ear.bell.rings
        tell(postgres_url)
        assert ear.hears(seen)
    # Its own news comes back from the server as well, and is known.
    seen = ear.bell.rings
    with ear.database.write() as session:
        record(session, "test", Hands()())
    tell(postgres_url)
    assert ear.hears(seen + 1)
    assert ear.bell.rings == seen + 2
    ear.close()


def test_a_listener_that_lost_its_connection_misses_nothing(postgres_url: str) -> None:
    ear = Ear(postgres_url, NEVER)
    eventually(lambda: listens(postgres_url))
    other = Database(postgres_url, Bell())
    with other.write() as session:
        session.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN zunft'")
        )
    seen = ear.bell.rings
    tell(postgres_url)
    assert ear.hears(seen)
    seen = ear.bell.rings
    tell(postgres_url)
    assert ear.hears(seen)
    other.close()
    ear.close()


def test_processes_on_one_file_hear_each_other_with_the_next_look(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    ear = Ear(url, 0.05)
    seen = ear.bell.rings
    tell(url)
    assert ear.hears(seen)
    assert EventLog(ear.database).last() == 1
    ear.close()
