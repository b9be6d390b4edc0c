"""Nonces under many requests at once: each counts once, and many are written in one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hub.access.nonces import Nonces
from hub.storage.database import Database
from hub.storage.notify import Bell
from hub.storage.tables.robots import NonceRow, RobotRow
from skills.errors import UnauthorizedError
from tests.eventually import eventually
from tests.hub.conftest import Hands
from tests.hub.servers import postgres

ROBOTS = ["ada", "bela", "cleo"]
AT_ONCE = 16


class CountingDatabase(Database):
    """Counts transactions; the first ones wait until `gate` is opened, so that others gather behind them."""

    def __init__(self, url: str) -> None:
        super().__init__(url, Bell())
        self.writes = 0
        self.gate = threading.Event()
        self.gate.set()

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.writes += 1
        assert self.gate.wait(30)
        with super().write() as session:
            yield session


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CountingDatabase]:
    is_file = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}" if is_file else request.getfixturevalue("postgres_url")
    found = CountingDatabase(url)
    found.migrate()
    with found.write() as session:
        for table in (NonceRow, RobotRow):
            session.execute(delete(table))
        for name in ROBOTS:
            session.add(
                RobotRow(
                    robot_id=name,
                    name=name,
                    organisation="o",
                    embodiment="ur5e",
                    public_key=name,
                    enrolled_at=Hands()(),
                )
            )
    yield found
    found.close()


def nonces_of(database: Database, clock: Hands) -> Nonces:
    return Nonces(database, clock, timedelta(seconds=600))


def outcomes(uses: Sequence[Callable[[], None]]) -> list[str]:
    """What became of each, all tried at once: empty, or the code of the refusal."""

    def one(use: Callable[[], None]) -> str:
        try:
            use()
        except UnauthorizedError as error:
            return error.code
        return ""

    with ThreadPoolExecutor(len(uses)) as at_once:
        return list(at_once.map(one, uses))


def kept(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(NonceRow)) or 0


def test_the_same_nonce_at_once_counts_once_in_one_process_and_in_two(
    database: CountingDatabase, clock: Hands
) -> None:
    processes = [nonces_of(database, clock), nonces_of(database, clock)]
    uses = [partial(nonces.use, "ada", "n" * 16) for nonces in processes * (AT_ONCE // 2)]
    found = outcomes(uses)
    assert sorted(found) == ["", *["replayed_request"] * (AT_ONCE - 1)]


def test_those_that_wait_are_written_together_and_robots_are_seen(
    database: CountingDatabase, clock: Hands
) -> None:
    nonces, before = nonces_of(database, clock), database.writes
    database.gate.clear()
    with ThreadPoolExecutor(AT_ONCE) as at_once:
        done = [at_once.submit(nonces.use, ROBOTS[n % 3], f"nonce-{n:08d}") for n in range(AT_ONCE)]
        eventually(
            lambda: nonces._together.waiting >= AT_ONCE - 1,
            alive=lambda: not any(each.done() for each in done),
        )
        database.gate.set()
    assert [each.result() for each in done] == [None] * AT_ONCE
    assert database.writes - before == 2
    assert kept(database) == AT_ONCE
    with database.read() as session:
        assert set(session.scalars(select(RobotRow.last_seen_at))) == {clock()}


def test_who_left_is_refused_and_the_others_are_not(database: CountingDatabase, clock: Hands) -> None:
    nonces = nonces_of(database, clock)
    names = [*ROBOTS, "gone", "ada"]
    uses = [partial(nonces.use, name, f"nonce-{n:08d}") for n, name in enumerate(names)]
    assert outcomes(uses) == ["", "", "", "unknown_robot", ""]
    assert kept(database) == 4


def test_a_transaction_that_fails_lets_nobody_through(
    database: CountingDatabase, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonces = nonces_of(database, clock)
    with monkeypatch.context() as broken:
        broken.setattr("hub.access.nonces._insert", failing)
        with pytest.raises(OperationalError):
            nonces.use("ada", "n" * 16)
    assert kept(database) == 0
    nonces.use("ada", "n" * 16)


def failing(session: Session, *_: object) -> set[tuple[str, str]]:
    session.execute(text("SELECT 1"))
    raise OperationalError("INSERT", {}, Exception("disk full"))


def test_nonces_are_kept_while_their_requests_are_fresh(database: CountingDatabase, clock: Hands) -> None:
    nonces = nonces_of(database, clock)
    nonces.use("ada", "n" * 16)
    clock.advance(600)
    assert outcomes([lambda: nonces.use("ada", "n" * 16)]) == ["replayed_request"]
    clock.advance(60)
    nonces.use("bela", "m" * 16)
    assert kept(database) == 1
