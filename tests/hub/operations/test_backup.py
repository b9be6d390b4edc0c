"""Backups, by restoring them: every row, every blob, and a hub that goes on where the first one was."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from hub.operations.archive import (
    KEY,
    MANIFEST,
    SIGNATURE,
    BackupError,
    BackupManifest,
    backup_statement,
    tables,
)
from hub.operations.backup import back_up
from hub.operations.restore import Restored, restore
from hub.services import Services
from hub.settings import KEY_FILE, Settings
from hub.storage.database import Database, SettingsError
from hub.storage.notify import Bell
from hub.storage.regions import HOME, connect_stores
from skills.container import digest_of
from skills.errors import ConflictError, NotFoundError
from skills.signing import SigningKey
from tests.hub.conftest import Collecting, Hall, Hands, StubGate, ok, random_tensors, tiny_skill
from tests.hub.leaderboards.samples import enter_score
from tests.hub.servers import postgres, s3_server

Rows = dict[str, list[dict[str, Any]]]


def quiet(_done: int, _total: int) -> None:
    """No progress bar."""


@pytest.fixture
def worked(collecting: Collecting) -> Collecting:
    """One round published, one open with a delta in it, a momentum to go on from."""
    hall, work = collecting.hall, collecting.work
    for number, robot in enumerate(collecting.robots):
        ok(robot.push(work.round_id, robot.delta(work, random_tensors(collecting.base, number))))
    hall.turn()
    first = collecting.robots[0]
    again = first.assignment()
    assert again is not None
    ok(first.push(again.round_id, first.delta(again, random_tensors(collecting.base, 7))))
    ok(hall.post("/users", {"name": "maria", "role": "operator"}))
    enter_score(hall, collecting.base)
    return collecting


def rows_of(settings: Settings) -> Rows:
    database = Database(settings.database, Bell())
    with database.read() as session:
        found = {
            table.name: [
                dict(row)
                for row in session.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in tables()
        }
    database.close()
    return found


def blobs_of(settings: Settings, digests: set[str]) -> dict[str, bytes]:
    store = connect_stores(settings).of(HOME)
    return {digest: store.get(digest) for digest in digests}


def digests_in(path: Path) -> set[str]:
    with tarfile.open(path) as tar:
        names = [name for name in tar.getnames() if name.startswith("blobs/")]
    return {"sha256:" + "".join(name.split("/")[2:]) for name in names}


def other(settings: Settings, folder: Path, **changes: Any) -> Settings:
    return Settings.model_validate({**settings.model_dump(), "data_dir": folder, **changes})


def save(hall: Hall, folder: Path, *, with_key: bool = True) -> Path:
    folder.mkdir(exist_ok=True)
    path, _ = back_up(hall.settings, folder, hall.clock(), with_key=with_key, progress=quiet)
    return path


def load(settings: Settings, path: Path, hub_key: str | None = None) -> Restored:
    return restore(settings, path, hub_key=hub_key, progress=quiet)


def test_a_restored_hub_has_every_row_and_blob_and_goes_on(
    worked: Collecting, tmp_path: Path, clock: Hands
) -> None:
    hall = worked.hall
    path = save(hall, tmp_path / "backups")
    assert path.name == "zunft-20260301T120000Z.tar"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    new = other(hall.settings, tmp_path / "new")
    assert load(new, path).has_key
    assert rows_of(new) == rows_of(hall.settings)
    found = Hall(new, StubGate(), clock)
    assert found.blobs() == hall.blobs()
    assert len(digests_in(path)) == len(hall.blobs())
    assert (new.data_dir / KEY_FILE).read_bytes() == (hall.settings.data_dir / KEY_FILE).read_bytes()
    assert found.services.events.audit.verify("").broken_at is None
    second = worked.robots[1]
    second.client = found.client
    work = second.assignment()
    assert work is not None
    ok(second.push(work.round_id, second.delta(work, random_tensors(worked.base, 8))))
    found.turn()
    assert found.version("stable").version == 3
    found.close()


def test_sqlite_and_files_to_postgresql_and_s3_and_back(worked: Collecting, tmp_path: Path) -> None:
    hall = worked.hall
    before = rows_of(hall.settings)
    first = save(hall, tmp_path / "first")
    with postgres(tmp_path / "postgres") as database, s3_server(tmp_path / "s3") as s3:
        large = other(
            hall.settings,
            tmp_path / "large",
            database_url=database,
            store_url=f"s3://zunft/blobs?endpoint={s3.endpoint}&secure=0&create=1",
            s3_access_key=s3.access_key,
            s3_secret_key=s3.secret_key,
        )
        load(large, first)
        assert rows_of(large) == before
        digests = digests_in(first)
        assert blobs_of(large, digests) == blobs_of(hall.settings, digests)
        second, _ = back_up(large, tmp_path / "second.tar", hall.clock(), with_key=True, progress=quiet)
        found = Hall(large, StubGate(), hall.clock)
        last = max(row["id"] for row in before["events"])
        found.enrol("after")
        assert found.services.events.log.last() == last + 1
        found.close()
        with pytest.raises(ConflictError, match="has data"):
            load(large, first)
    small = other(hall.settings, tmp_path / "small")
    load(small, second)
    assert rows_of(small) == before
    assert blobs_of(small, digests) == blobs_of(hall.settings, digests)


def test_a_hub_with_data_is_never_overwritten(worked: Collecting, tmp_path: Path, clock: Hands) -> None:
    path = save(worked.hall, tmp_path / "backups")
    started = Hall(other(worked.hall.settings, tmp_path / "started"), StubGate(), clock)
    before = rows_of(started.settings)
    with pytest.raises(ConflictError, match="has data"):
        load(started.settings, path)
    assert rows_of(started.settings) == before
    assert started.blobs() == set()
    started.close()


def test_without_the_key_it_stays_behind_and_another_hubs_key_is_refused(hall: Hall, tmp_path: Path) -> None:
    path = save(hall, tmp_path / "backups", with_key=False)
    with tarfile.open(path) as tar:
        assert KEY not in tar.getnames()
    key = (hall.settings.data_dir / KEY_FILE).read_bytes()
    assert key not in path.read_bytes()
    assert not load(other(hall.settings, tmp_path / "keyless"), path).has_key
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / KEY_FILE).write_bytes(key)
    assert load(other(hall.settings, tmp_path / "kept"), path).has_key
    stranger = Hall(other(hall.settings, tmp_path / "stranger"), StubGate(), hall.clock)
    stranger.close()
    (tmp_path / "stranger" / "hub.sqlite").unlink()
    with pytest.raises(ConflictError, match="another hub's key"):
        load(stranger.settings, path)


def test_what_happens_while_blobs_are_copied_is_not_half_in_it(worked: Collecting, tmp_path: Path) -> None:
    hall = worked.hall

    def publish(done: int, _total: int) -> None:
        if done == 0:
            ok(hall.publish(tiny_skill(name="later")))

    before = rows_of(hall.settings)
    path, manifest = back_up(hall.settings, tmp_path / "hub.tar", hall.clock(), progress=publish)
    assert manifest.rows == {name: len(rows) for name, rows in before.items()}
    new = other(hall.settings, tmp_path / "new")
    load(new, path)
    assert rows_of(new) == before


def test_lost_blobs_are_listed_and_the_rest_is_saved(worked: Collecting, tmp_path: Path) -> None:
    hall = worked.hall
    delta = next(row["digest"] for row in rows_of(hall.settings)["deltas"])
    damaged = hall.version("1").digest
    hall.services.storage.store.delete(delta)
    file = hall.settings.data_dir / "blobs" / "sha256" / damaged[7:9] / damaged[9:]
    file.write_bytes(bytes(file.stat().st_size))
    path, manifest = back_up(hall.settings, tmp_path / "hub.tar", hall.clock(), progress=quiet)
    assert set(manifest.missing) == {delta, damaged}
    load(other(hall.settings, tmp_path / "new"), path)


def _flip(name_part: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with tarfile.open(path) as tar:
            info = next(info for info in tar if name_part in info.name)
        data = bytearray(path.read_bytes())
        data[info.offset_data + info.size // 2] ^= 1
        path.write_bytes(data)

    return change


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _rewrite(path: Path, edit: Callable[[dict[str, bytes]], None]) -> None:
    with tarfile.open(path) as tar:
        members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
    edit(members)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def _with_another_row(path: Path) -> None:
    """All digests are right again: only the signature tells."""

    def edit(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        rows = members["tables/users.jsonl"].replace(b'"operator"', b'"admin"')
        assert rows != members["tables/users.jsonl"]
        members["tables/users.jsonl"] = rows
        manifest["members"]["tables/users.jsonl"] = {"size": len(rows), "sha256": digest_of(rows)[7:]}
        members[MANIFEST] = json.dumps(manifest).encode()

    _rewrite(path, edit)


def _signed_by_another(path: Path) -> None:
    thief = SigningKey.generate()

    def edit(members: dict[str, bytes]) -> None:
        said = json.dumps({**json.loads(members[MANIFEST]), "hub_key": thief.public.text}).encode()
        members[MANIFEST] = said
        members[SIGNATURE] = thief.sign(backup_statement(said)).encode()

    _with_another_row(path)
    _rewrite(path, edit)


def _unsigned(path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        del members[SIGNATURE]

    _rewrite(path, edit)


@pytest.mark.parametrize("change", [_with_another_row, _signed_by_another, _unsigned])
def test_nothing_is_restored_of_what_this_hub_did_not_sign(
    change: Callable[[Path], None], worked: Collecting, tmp_path: Path
) -> None:
    hall = worked.hall
    path = save(hall, tmp_path / "backups")
    change(path)
    new = other(hall.settings, tmp_path / "new")
    key = SigningKey.load_or_create(hall.settings.key_path).public.text
    for hub_key in (key, ""):  # "": the key would have to lie in the new folder
        with pytest.raises(BackupError):
            load(new, path, hub_key)
    assert not new.data_dir.exists()
    assert load(new, path, None).manifest.rows["users"] == 2  # whoever believes it anyway


def test_a_hub_restores_what_it_signed(worked: Collecting, tmp_path: Path) -> None:
    hall = worked.hall
    path = save(hall, tmp_path / "backups")
    for folder, hub_key in (("a", SigningKey.load_or_create(hall.settings.key_path).public.text), ("b", "")):
        new = other(hall.settings, tmp_path / folder)
        new.data_dir.mkdir()
        if not hub_key:
            new.key_path.write_bytes(hall.settings.key_path.read_bytes())
        load(new, path, hub_key)
        assert rows_of(new) == rows_of(hall.settings)


def _without_users(path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        del members["tables/users.jsonl"]

    _rewrite(path, edit)


def _with_a_stranger(path: Path) -> None:
    _rewrite(path, lambda members: members.update({"../../evil": b"x"}))


def _with_a_stranger_that_the_manifest_knows(path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        members["../../evil"] = b"x"
        manifest["members"]["../../evil"] = {"size": 1, "sha256": digest_of(b"x")[7:]}
        members[MANIFEST] = json.dumps(manifest).encode()

    _rewrite(path, edit)


def _with_another_schema(path: Path) -> None:
    def edit(members: dict[str, bytes]) -> None:
        manifest = {**json.loads(members[MANIFEST]), "schema_revision": "0001"}
        members[MANIFEST] = BackupManifest.model_validate(manifest).model_dump_json().encode()

    _rewrite(path, edit)


@pytest.mark.parametrize(
    "change",
    [
        _flip("tables/robots"),
        _flip("blobs/"),
        _flip(KEY),
        _cut,
        _without_users,
        _with_a_stranger,
        _with_a_stranger_that_the_manifest_knows,
        _with_another_schema,
        lambda path: path.write_bytes(b"no tar"),
    ],
    ids=["row", "blob", "key", "cut", "table gone", "stranger", "known stranger", "schema", "no tar"],
)
def test_a_backup_that_is_not_sound_is_refused_and_nothing_is_written(
    worked: Collecting, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = save(worked.hall, tmp_path / "backups")
    change(path)
    new = other(worked.hall.settings, tmp_path / "new")
    with pytest.raises(BackupError):
        load(new, path)
    assert not (tmp_path / "new" / "blobs").exists()
    assert not (tmp_path / "new" / KEY_FILE).exists()
    database = Database(new.database, Bell())
    database.migrate()
    with database.read() as session:
        assert not any(session.scalar(select(func.count()).select_from(table)) for table in tables())
    database.close()


def test_every_blob_that_a_row_names_is_in_the_backup(worked: Collecting, tmp_path: Path) -> None:
    rows = json.dumps(rows_of(worked.hall.settings), default=str)
    stored = {f"sha256:{path.parent.name}{path.name}" for path in _files(worked.hall.services)}
    assert {digest for digest in stored if digest in rows} == digests_in(save(worked.hall, tmp_path / "b"))


def _files(services: Services) -> list[Path]:
    folder = services.settings.data_dir / "blobs" / "sha256"
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_database_that_does_not_answer_is_named_and_no_file_is_left(hall: Hall, tmp_path: Path) -> None:
    path = save(hall, tmp_path / "backups")
    away = other(
        hall.settings, tmp_path / "away", database_url="postgresql+psycopg://zunft@127.0.0.1:9/zunft"
    )
    with pytest.raises(SettingsError, match="does not answer"):
        back_up(away, tmp_path / "hub.tar", hall.clock(), progress=quiet)
    with pytest.raises(SettingsError, match="does not answer"):
        load(away, path)
    assert not (tmp_path / "hub.tar").exists()


def test_there_must_be_a_hub_and_room_for_the_file(hall: Hall, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no hub"):
        back_up(other(hall.settings, tmp_path / "none"), tmp_path, hall.clock(), progress=quiet)
    assert not (tmp_path / "none").exists()
    taken = save(hall, tmp_path / "backups")
    for target in (taken, tmp_path / "no" / "hub.tar", tmp_path / "hub.zip"):
        with pytest.raises(BackupError, match="folder"):
            back_up(hall.settings, target, hall.clock(), progress=quiet)
    (hall.settings.data_dir / KEY_FILE).unlink()
    with pytest.raises(NotFoundError, match="no key"):
        back_up(hall.settings, tmp_path / "a.tar", hall.clock(), with_key=True, progress=quiet)
    assert [path.name for path in tmp_path.glob("*.tar")] == []
