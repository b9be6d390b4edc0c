"""Hubs on either database, with four robots."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from hub.settings import Settings
from hub.storage.database import Database
from hub.storage.notify import Bell
from tests.hub.conftest import Hall, Hands, Robot, ok
from tests.hub.servers import postgres
from tests.hub.withdrawals.guild import BASE, GrowingGate


@pytest.fixture(scope="package")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


on_both = pytest.mark.parametrize("settings", ["sqlite", "postgresql"], indirect=True)
"""Where databases differ, or what they do first: the others run on SQLite alone."""


@pytest.fixture
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if getattr(request, "param", "sqlite") == "sqlite":
        return settings
    url: str = request.getfixturevalue("postgres_url")
    database = Database(url, Bell())
    with database.write() as session:
        session.execute(text("DROP SCHEMA public CASCADE"))
        session.execute(text("CREATE SCHEMA public"))
    database.close()
    return settings.model_copy(update={"database_url": url})


@pytest.fixture
def hall(settings: Settings, clock: Hands) -> Iterator[Hall]:
    found = Hall(settings, GrowingGate(), clock)
    ok(found.publish(BASE))
    yield found
    found.close()


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    return [hall.enrol(f"robot {number}") for number in range(4)]
