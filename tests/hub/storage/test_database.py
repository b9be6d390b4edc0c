from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from hub.access.principal import THE_HUB
from hub.events.log import EventLog
from hub.services import open_services
from hub.settings import Settings
from hub.storage.database import Database, SettingsError
from hub.storage.notify import Bell
from hub.storage.record import record
from hub.storage.tables.base import Base
from hub.storage.tables.people import UserRow
from hub.storage.wiring import OTHER_THREADS, REQUEST_THREADS
from skills.errors import UnauthorizedError
from skills.messages.lists import UserQuery
from tests.hub.conftest import Hall, Hands, StubGate, ok, random_tensors, tiny_skill
from tests.hub.servers import postgres


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'hub.sqlite'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


@pytest.fixture
def empty(url: str) -> Iterator[Database]:
    """A database without a schema."""
    found = Database(url, Bell())
    with found.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    yield found
    found.close()


@pytest.fixture
def database(empty: Database) -> Database:
    empty.migrate()
    return empty


def user(name: str) -> UserRow:
    return UserRow(name=name, role="admin", organisation="o", created_at=Hands()())


def test_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.read() as session:

        def is_modelled(_thing: object, name: str, *_rest: object) -> bool:
            """All but the index of words, which each database has in its own way."""
            return not name.startswith("search_words") and name not in {"words", "ix_search_texts_words"}

        opts = {"compare_type": True, "include_object": is_modelled}
        context = MigrationContext.configure(session.connection(), opts=opts)
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_keeps_the_data(database: Database) -> None:
    with database.write() as session:
        session.add(user("ada"))
    database.migrate()
    with database.read() as session:
        assert session.get_one(UserRow, "ada").created_at == Hands()()


@pytest.mark.parametrize("revision", ["0001", "0013"])
def test_a_schema_of_before_the_first_release_is_refused_and_left_as_it_is(
    empty: Database, revision: str
) -> None:
    made = [
        "CREATE TABLE users (name VARCHAR(128) PRIMARY KEY)",
        "INSERT INTO users VALUES ('ada')",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)",
        f"INSERT INTO alembic_version VALUES ('{revision}')",  # noqa: S608 - ours
    ]
    with empty.write() as session:
        for statement in made:
            session.execute(text(statement))
    with pytest.raises(SettingsError, match=f"schema {revision}.*nothing was changed") as refusal:
        empty.migrate()
    assert "--data-dir" in refusal.value.remedy
    with empty.read() as session:
        assert set(inspect(session.connection()).get_table_names()) == {"alembic_version", "users"}
        assert session.execute(text("SELECT name FROM users")).scalars().all() == ["ada"]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            session.add(user("ada"))
            session.flush()
            session.execute(text("INSERT INTO users (name) VALUES ('bob')"))

    with pytest.raises(IntegrityError):
        fail()
    with database.read() as session:
        assert session.get(UserRow, "ada") is None


def test_writers_at_once_wait_for_each_other_and_events_keep_their_order(database: Database) -> None:
    seen: list[int] = []
    log = EventLog(database)

    def write(name: str) -> None:
        for number in range(10):
            with database.write() as session:
                record(session, f"{name}.{number}", Hands()(), by=name)

    def listen() -> None:
        while len(seen) < 40:
            seen.extend(event.id for event in log.after(seen[-1] if seen else 0, THE_HUB).events)

    threads = [threading.Thread(target=write, args=(f"w{i}",)) for i in range(4)]
    listener = threading.Thread(target=listen, daemon=True)
    for thread in (*threads, listener):
        thread.start()
    for thread in (*threads, listener):
        thread.join(60)
    assert len(seen) == 40
    assert seen == sorted(seen)
    assert [event.id for event in log.after(0, THE_HUB).events] == seen


@pytest.mark.usefixtures("database")
def test_the_bell_rings_after_a_commit_with_news_and_not_before(url: str) -> None:
    bell = Bell()
    other = Database(url, bell)
    with other.write() as session:
        record(session, "test", Hands()())
        assert bell.rings == 0
    assert bell.rings == 1
    with other.write() as session:
        session.add(user("bob"))
    assert bell.rings == 1
    other.close()


def test_a_hub_does_a_round_on_either_database(
    url: str, database: Database, settings: Settings, clock: Hands
) -> None:
    database.check()
    hall = Hall(settings.model_copy(update={"database_url": url}), StubGate(), clock)
    base = tiny_skill()
    ok(hall.publish(base))
    robots = [hall.enrol("one"), hall.enrol("two")]
    late = hall.enrol("late")
    merge = {"rule": "fltrust", "optimiser": "yogi", "max_staleness": 1}
    campaign_id = hall.start(rounds=2, target=2, merge=merge)
    hall.turn()
    owed = late.assignment()
    assert owed is not None
    for number in range(2):
        hall.turn()
        if number:
            answer = ok(late.push(owed.round_id, late.delta(owed, random_tensors(base, 7))))
            assert answer.json()["staleness"] == 1
            robots = robots[:1]
        for robot in robots:
            work = robot.assignment()
            assert work is not None
            data = robot.delta(work, random_tensors(base, number))
            answers = [robot.push(work.round_id, data) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [201, 200]
    hall.turn()
    assert hall.campaign(campaign_id).state == "finished"
    assert hall.version("stable").version == 3
    hall.close()


@pytest.mark.usefixtures("database")
def test_people_sign_in_on_either_database(url: str, settings: Settings, clock: Hands) -> None:
    issuer = {"oidc_issuer": "https://login.example", "oidc_client_id": "z", "oidc_roles": {"a": "operator"}}
    given = Settings.model_validate({**dict(settings), **issuer, "database_url": url})
    hub = open_services(given, gate=StubGate(), clock=clock)
    claims = {"sub": "7f3c", "preferred_username": "ada", "groups": ["a"]}
    with ThreadPoolExecutor(4) as at_once:
        secrets = [found[0] for found in at_once.map(hub.access.sign_in.with_claims, [claims] * 4)]
    assert {hub.access.sessions.principal(secret).name for secret in secrets} == {"ada"}
    hub.organisations.accounts.end_sessions("ada")
    with pytest.raises(UnauthorizedError):
        hub.access.sessions.principal(secrets[0])
    hub.organisations.accounts.revoke("ada")
    assert [user.name for user in hub.organisations.accounts.users(UserQuery()).items] == ["admin"]
    hub.close()


@pytest.mark.parametrize("url", ["nonsense", ""])
def test_a_bad_address_is_refused_with_words(url: str) -> None:
    with pytest.raises(SettingsError, match="database"):
        Database(url, Bell())


def test_as_many_threads_as_a_hub_has_find_a_connection_each(postgres_url: str) -> None:
    threads = REQUEST_THREADS + OTHER_THREADS + 2
    database = Database(postgres_url, Bell(), threads)
    with ExitStack() as stack:
        for _ in range(threads):
            assert stack.enter_context(database.read()).scalar(text("SELECT 1")) == 1
    database.close()
