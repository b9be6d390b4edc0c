from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from hub.auth import THE_HUB, scopes_of
from hub.bell import Bell
from hub.database import MIGRATIONS, Database, SettingsError
from hub.events import EventLog, record
from hub.leaderboards.rows import ScoreRow
from hub.models import (
    Base,
    DeltaRow,
    EventRow,
    OrganisationRow,
    RoundRow,
    SkillRow,
    UserRow,
    UserTokenRow,
)
from hub.services import OTHER_THREADS, REQUEST_THREADS, open_services
from hub.settings import Settings
from skills.errors import UnauthorizedError
from skills.tokens import EVERY_SCOPE
from tests.hub.conftest import Hall, Hands, StubGate, ok, random_tensors, tiny_skill
from tests.hub.servers import postgres

FIRST_SCHEMA = [
    "INSERT INTO users VALUES ('maria', 'operator', 'North', 'hash', '2026-01-01 00:00:00')",
    "INSERT INTO robots VALUES ('ada', 'ada', 'o', 'ur5e', 'key', '2026-01-01 00:00:00', NULL)",
    "INSERT INTO skills VALUES ('reach', 'reach', '', '2026-01-01 00:00:00')",
    "INSERT INTO campaigns VALUES ('c', 'reach', 'running', '', '{}', '2026-01-01 00:00:00')",
    """INSERT INTO rounds VALUES ('c-1', 'c', 1, 'published', '', 'sha256:b', '2026-01-01 00:00:00',
    '2026-01-01 00:00:00', 'sha256:c', NULL, '{}', 'sha256:m', 'sha256:n')""",
    "INSERT INTO deltas VALUES ('sha256:d', 'c-1', 'ada', 1, 7, 1, 'raw', '{}', 's', '2026-01-01 00:00:00')",
    "INSERT INTO versions VALUES ('reach', 1, 'sha256:b', 5, 's', '{}', '2026-01-01 00:00:00', NULL, NULL)",
    "INSERT INTO channels VALUES ('reach', 'stable', 1)",
    """INSERT INTO events VALUES (1, 'robot.enrolled', '2026-01-01 00:00:00', '{"robot_id": "ada"}'),
    (2, 'version.added', '2026-01-01 00:00:00', '{"skill": "reach", "version": 1}'),
    (3, 'round.open', '2026-01-01 00:00:00', '{"round_id": "c-1", "campaign_id": "c"}'),
    (4, 'delta.admitted', '2026-01-01 00:00:00', '{"round_id": "c-1", "robot_id": "ada"}')""",
]
"""Rows as the first release wrote them."""


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
def database(url: str) -> Iterator[Database]:
    found = Database(url, Bell())
    with found.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    found.migrate()
    yield found
    found.close()


def user(name: str) -> UserRow:
    return UserRow(name=name, role="admin", organisation="o", created_at=Hands()())


def test_migrations_make_exactly_the_tables_of_the_models(database: Database) -> None:
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_keeps_the_data(database: Database) -> None:
    with database.write() as session:
        session.add(user("ada"))
    database.migrate()
    with database.read() as session:
        assert session.get_one(UserRow, "ada").created_at == Hands()()


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
        secrets = [found[0] for found in at_once.map(hub.sign_in.with_claims, [claims] * 4)]
    assert {hub.sessions.principal(secret).name for secret in secrets} == {"ada"}
    hub.accounts.end_sessions("ada")
    with pytest.raises(UnauthorizedError):
        hub.sessions.principal(secrets[0])
    hub.accounts.revoke("ada")
    assert [user.name for user in hub.accounts.users()] == ["admin"]
    hub.close()


@pytest.mark.parametrize("url", ["nonsense", ""])
def test_a_bad_address_is_refused_with_words(url: str) -> None:
    with pytest.raises(SettingsError, match="database"):
        Database(url, Bell())


@pytest.fixture
def first(url: str) -> Iterator[Database]:
    """A hub of the first release."""
    found = Database(url, Bell())
    with found.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
        command.upgrade(alembic(session), "0001")
        for statement in FIRST_SCHEMA:
            session.connection().exec_driver_sql(statement)
    yield found
    found.close()


def alembic(session: Session) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = session.connection()
    return config


def test_a_hub_of_the_first_schema_keeps_its_rounds_and_deltas(first: Database) -> None:
    first.migrate()
    with first.read() as session:
        row, delta = session.get_one(RoundRow, "c-1"), session.get_one(DeltaRow, "sha256:d")
        assert (row.optimiser_before, row.optimiser_after) == ("sha256:m", "sha256:n")
        assert (row.device, row.root) == (None, None)
        assert (delta.round_id, delta.staleness) == ("c-1", 0)


def test_what_was_stable_waits_for_its_score(first: Database) -> None:
    first.migrate()
    with first.read() as session:
        row = session.scalars(select(ScoreRow)).one()
        assert (row.skill, row.number, row.digest, row.state) == ("reach", 1, "sha256:b", "waiting")


def test_organisations_owners_and_tokens_come_from_what_was_there(first: Database) -> None:
    first.migrate()
    with first.read() as session:
        organisations = {row.name: row for row in session.scalars(select(OrganisationRow))}
        assert {name: row.stored_bytes for name, row in organisations.items()} == {
            "North": 0,
            "guild": 12,
            "o": 0,
        }
        assert {(row.region, row.visibility, row.robots_limit) for row in organisations.values()} == {
            ("", "guild", None)
        }
        skill = session.get_one(SkillRow, "reach")
        assert (skill.organisation, skill.visibility) == ("guild", "guild")
        events = [(row.skill, row.organisation) for row in session.scalars(select(EventRow))]
        assert events == [(None, "o"), ("reach", None), ("reach", None), ("reach", "o")]
        token = session.scalars(select(UserTokenRow)).one()
        assert (token.user_name, token.token_hash, token.name) == ("maria", "hash", "first")
        assert (token.expires_at, token.created_at) == (None, datetime(2026, 1, 1, tzinfo=UTC))
        assert scopes_of(token) == set(EVERY_SCOPE)


def test_there_is_a_way_back_that_keeps_the_users(first: Database) -> None:
    first.migrate()
    with first.write() as session:
        command.downgrade(alembic(session), "0004")
        kept = session.execute(text("SELECT name, organisation, token_hash, expires_at FROM users"))
        assert [tuple(row) for row in kept] == [("maria", "North", "hash", None)]
    first.migrate()


def test_as_many_threads_as_a_hub_has_find_a_connection_each(postgres_url: str) -> None:
    threads = REQUEST_THREADS + OTHER_THREADS + 2
    database = Database(postgres_url, Bell(), threads)
    with ExitStack() as stack:
        for _ in range(threads):
            assert stack.enter_context(database.read()).scalar(text("SELECT 1")) == 1
    database.close()
