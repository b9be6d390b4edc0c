from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from hub.events.audit import AuditLog
from hub.events.witness import AuditWitness, heads_at, heads_in
from hub.storage.database import Database
from hub.storage.notify import Bell
from hub.storage.record import note, record
from skills.errors import RequestError
from skills.messages.base import API
from skills.messages.lists import AuditQuery
from tests.hub.conftest import Collecting, Hall, Hands, ok, tiny_skill
from tests.hub.servers import postgres
from tests.hub.serving import serving
from zunft.cli import app

DAMAGE = {
    "tampered": ("UPDATE audit SET actor = 'user:eve' WHERE number = 3", 3),
    "rehashed": ("UPDATE audit SET hash = previous WHERE number = 3", 3),
    "details changed": ("""UPDATE audit SET details = '{"by": "eve"}' WHERE number = 4""", 4),
    "backdated": ("UPDATE audit SET at = '2020-01-01 00:00:00' WHERE number = 2", 2),
    "deleted first": ("DELETE FROM audit WHERE number = 1", 1),
    "deleted within": ("DELETE FROM audit WHERE number = 4", 4),
    "deleted last": ("DELETE FROM audit WHERE number = 8", 8),
    "emptied": ("DELETE FROM audit", 1),
    "closed up": ("DELETE FROM audit WHERE number = 3; UPDATE audit SET number = 3 WHERE number = 8", 3),
    "reordered": (
        """UPDATE audit SET number = 99 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 5;
        UPDATE audit SET number = 5 WHERE number = 99""",
        2,
    ),
}


@pytest.fixture(scope="module")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    found = Database(url, Bell())
    with found.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    found.migrate()
    yield found
    found.close()


def write(database: Database, count: int, by: str = "user:ada") -> None:
    for number in range(count):
        with database.write() as session:
            note(session, "test", Hands()(), by=by, subject=f"s{number}", number=number, text='ü\n"{}')


def force(database: Database, statements: str) -> None:
    """As somebody would who owns the database: past the triggers."""
    with database.write() as session:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        else:
            session.execute(text("DROP TRIGGER keep_audit_update"))
            session.execute(text("DROP TRIGGER keep_audit_delete"))
        for statement in statements.split(";"):
            session.connection().exec_driver_sql(statement)


def test_what_was_written_holds_and_is_read_in_pages(database: Database) -> None:
    log = AuditLog(database)
    assert log.verify().broken_at is None
    write(database, 8)
    found = log.verify()
    assert (found.entries, found.broken_at) == (8, None)
    first = log.entries(AuditQuery(limit=5))
    entries = [*first.items, *log.entries(AuditQuery(limit=5, cursor=first.next or "")).items]
    assert [entry.number for entry in entries] == list(range(1, 9))
    assert found.head == entries[-1].hash
    assert entries[0].details == {"number": 0, "text": 'ü\n"{}'}
    assert entries[0].at == Hands()()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_where_it_is(database: Database, damage: str) -> None:
    statements, number = DAMAGE[damage]
    write(database, 8)
    force(database, statements)
    found = AuditLog(database).verify()
    assert found.broken_at == number
    assert found.entries == number - 1
    assert found.reason


def test_a_log_that_was_rewritten_whole_shows_against_a_noted_head(database: Database) -> None:
    log = AuditLog(database)
    write(database, 4)
    noted = log.verify().head
    write(database, 2)
    assert log.verify(noted).broken_at is None
    force(database, "DELETE FROM audit; DELETE FROM audit_head")
    write(database, 6, by="user:eve")
    assert log.verify().broken_at is None
    assert "rewritten" in log.verify(noted).reason


def test_a_log_that_was_rewritten_whole_shows_against_where_the_hub_noted_its_heads(
    database: Database, tmp_path: Path
) -> None:
    log, place = AuditLog(database), tmp_path / "elsewhere" / "heads.jsonl"
    witness = AuditWitness(database, str(place), Hands())
    witness.look()
    assert not place.exists()
    for _ in range(3):
        write(database, 2)
        witness.look()
        witness.look()
    heads = heads_at(str(place))
    assert [number for number, _ in heads] == [2, 4, 6]
    assert (log.verify("", heads).broken_at, log.verify("", heads).compared) == (None, 3)
    force(database, "DELETE FROM audit; DELETE FROM audit_head")
    write(database, 2)
    write(database, 2)
    assert "entry 6 was noted" in log.verify("", heads).reason
    write(database, 4, by="user:eve")
    assert (log.verify().broken_at, log.verify("", heads).broken_at) == (None, 6)
    AuditWitness(database, str(place), Hands()).look()  # what the hub notes now changes nothing of that
    assert log.verify("", heads_at(str(place))).broken_at == 6


def test_heads_are_posted_to_an_address_and_read_from_there(database: Database) -> None:
    app, kept = FastAPI(), list[bytes]()

    @app.post("/heads")
    async def take(request: Request) -> None:
        kept.append(await request.body())

    @app.get("/heads")
    async def give() -> Response:
        return Response(b"\n".join(kept))

    with serving(app) as address:
        witness = AuditWitness(database, f"{address}/heads", Hands())
        write(database, 2)
        witness.look()
        assert AuditLog(database).verify("", heads_at(f"{address}/heads")).compared == 1
    write(database, 1)
    with pytest.raises(httpx.HTTPError):
        witness.look()
    with pytest.raises(RequestError, match="cannot be read"):
        heads_at(f"{address}/heads")


def test_lines_of_the_hub_s_log_are_heads_too() -> None:
    said = {"event": "audit.head", "number": 7, "hash": "a" * 64}
    lines = [f"hub-1  | {json.dumps(said)}", "hub-1  | started", json.dumps({**said, "event": "request"})]
    assert list(heads_in(lines)) == [(7, "a" * 64)]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'user:eve'", "DELETE FROM audit"])
def test_the_database_refuses_to_change_an_entry(database: Database, statement: str) -> None:
    write(database, 2)
    with pytest.raises(DBAPIError, match="append-only"), database.write() as session:
        session.execute(text(statement))
    assert AuditLog(database).verify().entries == 2


def test_an_entry_goes_with_its_transaction(database: Database) -> None:
    with suppress(ZeroDivisionError), database.write() as session:
        note(session, "test", Hands()(), by="user:ada", subject="s")
        raise ZeroDivisionError
    assert AuditLog(database).verify().entries == 0


def test_writers_at_once_make_one_chain_while_a_reader_verifies(database: Database) -> None:
    log, wrong, done = AuditLog(database), [], threading.Event()

    def work(name: str) -> None:
        for number in range(10):
            with database.write() as session:
                # Both logs, in either order: that must not end in a deadlock.
                if number % 2:
                    record(session, "test", Hands()())
                note(session, "test", Hands()(), by=name, subject=str(number))
                record(session, "test", Hands()())

    def watch() -> None:
        while not done.is_set():
            found = log.verify()
            if found.broken_at is not None:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(f"user:w{i}",)) for i in range(4)]
    reader = threading.Thread(target=watch, daemon=True)
    for thread in (*threads, reader):
        thread.start()
    for thread in threads:
        thread.join(60)
    done.set()
    reader.join(60)
    assert wrong == []
    assert (log.verify().entries, log.verify().broken_at) == (40, None)


def test_the_hub_notes_who_did_what(collecting: Collecting) -> None:
    hall = collecting.hall
    ok(hall.post("/users", {"name": "maria", "role": "operator"}))
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.release(2)
    for _ in range(2):
        ok(hall.post(f"/campaigns/{collecting.campaign_id}/stop"))
    ok(hall.client.delete(f"{API}/users/maria", headers=hall.operator))
    entries = hall.get("/audit")
    robots = [f"robot:{robot.robot_id}" for robot in collecting.robots]
    assert [(entry["actor"], entry["action"], entry["subject"]) for entry in entries] == [
        ("hub", "user.created", "admin"),
        ("hub", "root.made", "root 1"),
        ("user:admin", "skill.published", "reach"),
        ("user:admin", "channel.moved", "reach"),
        ("user:admin", "tokens.issued", "guild"),
        (robots[0], "robot.enrolled", collecting.robots[0].robot_id),
        ("user:admin", "tokens.issued", "guild"),
        (robots[1], "robot.enrolled", collecting.robots[1].robot_id),
        ("user:admin", "campaign.started", collecting.campaign_id),
        ("hub", "channel.moved", "reach"),  # the first version, which the campaign has measured
        ("user:admin", "user.created", "maria"),
        ("user:admin", "skill.published", "reach"),
        ("user:admin", "channel.moved", "reach"),
        ("user:admin", "channel.moved", "reach"),
        ("user:admin", "campaign.stopped", collecting.campaign_id),
        ("user:admin", "user.revoked", "maria"),
    ]
    page = ok(hall.client.get(f"{API}/audit?limit=13", headers=hall.operator)).json()
    behind = f"{API}/audit?limit=1&cursor={page['next']}"
    assert ok(hall.client.get(behind, headers=hall.operator)).json()["items"] == entries[13:14]
    assert hall.services.events.audit.verify().broken_at is None


def test_the_commands_need_no_running_hub(hall: Hall) -> None:
    folder = str(hall.settings.data_dir)
    shown = CliRunner().invoke(app, ["audit", "show", "--data-dir", folder, "--json"])
    assert [entry["action"] for entry in json.loads(shown.stdout)["items"]] == ["user.created", "root.made"]
    whole = CliRunner().invoke(app, ["audit", "verify", "--data-dir", folder, "--json"])
    found = json.loads(whole.stdout)
    assert (found["entries"], found["compared"]) == (2, 0)
    hall.services.events.witness.look()
    noted = CliRunner().invoke(app, ["audit", "verify", "--data-dir", folder, "--json"])
    assert json.loads(noted.stdout)["compared"] == 1
    line = json.dumps({"number": 2, "hash": "f" * 64})
    other = CliRunner().invoke(app, ["audit", "verify", "--data-dir", folder, "--heads", "-"], input=line)
    assert other.exit_code == 1
    assert "rewritten" in other.stdout
    assert whole.exit_code == 0
    force(hall.services.storage.database, "UPDATE audit SET actor = 'user:eve'")
    broken = CliRunner().invoke(app, ["audit", "verify", "--data-dir", folder])
    assert broken.exit_code == 1
    assert "entry 1" in broken.stdout


def test_a_folder_without_a_hub_gets_none(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["audit", "verify", "--data-dir", str(tmp_path)])
    assert refused.exit_code != 0
    assert list(tmp_path.iterdir()) == []
