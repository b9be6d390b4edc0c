"""One hub, one key: processes that start at once, strangers, and where a key may come from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from hub.services import open_services
from hub.settings import KEY_FILE, Settings
from hub.storage.database import Database, SettingsError
from hub.storage.notify import Bell
from hub.storage.tables.events import AuditRow
from hub.storage.tables.people import UserRow
from tests.hub.conftest import ADMIN
from tests.hub.servers import postgres

START = """
from hub.services import open_services
from hub.settings import Settings
services = open_services(Settings())
services.storage.store.check()
print(services.robots.enrolment._hub_key)
services.close()
"""
AT_ONCE = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'hub.sqlite'}"
    else:
        with postgres(tmp_path / "postgres") as url:
            yield url


def test_processes_that_start_a_new_hub_at_once_are_one_hub(database_url: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ZUNFT_DATABASE_URL": database_url,
        "ZUNFT_DATA_DIR": str(tmp_path / "hub"),
        "ZUNFT_ADMIN_TOKEN": ADMIN,
    }
    starting = [
        subprocess.Popen([sys.executable, "-c", START], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(AT_ONCE)
    ]
    keys = [process.communicate()[0] for process in starting]
    assert [process.returncode for process in starting] == [0] * AT_ONCE
    assert len(set(keys)) == 1
    assert [path.name for path in (tmp_path / "hub").glob("*hub-key*")] == [KEY_FILE]
    database = Database(database_url, Bell())
    with database.read() as session:
        assert session.scalars(select(UserRow.name)).all() == ["admin"]
        assert session.scalar(select(func.count()).where(AuditRow.action == "user.created")) == 1
    database.close()


def other(settings: Settings, folder: Path, **changes: Path) -> Settings:
    changed = {"data_dir": folder, "database_url": settings.database, **changes}
    return Settings.model_validate(settings.model_dump() | changed)


def test_a_process_without_the_hubs_key_does_not_start_and_makes_none(
    settings: Settings, tmp_path: Path
) -> None:
    open_services(settings).close()
    stranger = other(settings, tmp_path / "stranger")
    with pytest.raises(SettingsError, match="its key is not here") as caught:
        open_services(stranger)
    assert "ZUNFT_SIGNING_KEY_FILE" in caught.value.remedy
    assert not stranger.key_path.exists()
    open_services(settings.model_copy(update={"data_dir": tmp_path / "another hub"})).close()
    shutil.copy(tmp_path / "another hub" / KEY_FILE, stranger.key_path)
    with pytest.raises(SettingsError, match="belongs to the hub"):
        open_services(stranger)
    shutil.copy(settings.key_path, stranger.key_path)
    open_services(stranger).close()


def test_a_key_that_was_named_is_taken_and_never_made(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "key.pem"
    named = other(settings, tmp_path / "hub", signing_key_file=secret)
    with pytest.raises(SettingsError, match="no such key file"):
        open_services(named)
    assert not secret.exists()
    open_services(settings.model_copy(update={"data_dir": tmp_path / "made"})).close()
    secret.parent.mkdir()
    shutil.copy(tmp_path / "made" / KEY_FILE, secret)
    open_services(named).close()
    open_services(other(settings, tmp_path / "replica", signing_key_file=secret)).close()
    assert not (tmp_path / "replica" / KEY_FILE).exists()
