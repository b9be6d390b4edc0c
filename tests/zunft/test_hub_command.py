"""`zunft hub`: running is the default, and a hub goes into a file and out of it by commands alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from hub.access.principal import Principal
from hub.services import open_services
from hub.settings import KEY_FILE, Settings
from hub.storage.database import SettingsError
from skills.errors import SignatureError
from skills.signing import SigningKey, skill_statement
from tests.hub.conftest import ADMIN, tiny_skill
from zunft.cli import app

RUNNER = CliRunner()
ADA = Principal("ada", "researcher", "guild")


@pytest.mark.parametrize("words", [["hub"], ["hub", "run"]])
def test_a_hub_runs_with_or_without_the_word(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Settings] = []
    monkeypatch.setattr("hub.supervisor.serve", lambda settings, **_: served.append(settings))
    monkeypatch.setenv("ZUNFT_DATA_DIR", str(tmp_path))
    assert RUNNER.invoke(app, words).exit_code == 0
    assert RUNNER.invoke(app, [*words, "--port", "1234"]).exit_code == 0
    assert [settings.port for settings in served] == [8080, 1234]
    assert {settings.data_dir for settings in served} == {tmp_path}


def test_a_hub_goes_into_a_file_and_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUNFT_ADMIN_TOKEN", ADMIN)
    open_services(Settings(data_dir=tmp_path / "old")).close()
    old, new = ["--data-dir", str(tmp_path / "old")], ["--data-dir", str(tmp_path / "new")]
    made = RUNNER.invoke(app, ["hub", "backup", str(tmp_path), *old, "--json"])
    assert made.exit_code == 0, made.output
    facts = json.loads(made.stdout)
    assert (facts["with_key"], facts["rows"]["users"], facts["missing"]) == (False, 1, [])
    nobodys = RUNNER.invoke(app, ["hub", "restore", facts["file"], *new])
    assert "nobody said whose" in str(nobodys.exception)
    again = RUNNER.invoke(app, ["hub", "restore", facts["file"], "--hub-key", facts["hub_key"], *new])
    assert again.exit_code == 0, again.output
    assert "no signing key" in again.stderr
    with pytest.raises(SettingsError, match="its key is not here"):
        open_services(Settings(data_dir=tmp_path / "new"))
    (tmp_path / "new" / KEY_FILE).write_bytes((tmp_path / "old" / KEY_FILE).read_bytes())
    services = open_services(Settings(data_dir=tmp_path / "new"))
    assert services.access.authenticator.user(ADMIN).role == "admin"
    services.close()


def test_a_hub_whose_key_is_lost_gets_a_new_one_and_signs_its_skills_anew(tmp_path: Path) -> None:
    hub = ["--data-dir", str(tmp_path)]
    services = open_services(Settings(data_dir=tmp_path))
    with services.storage.spool.file() as file:
        file.write(tiny_skill().to_bytes())
        services.catalogue.skills.publish(file, by=ADA)
    services.close()
    assert RUNNER.invoke(app, ["hub", "new-key", *hub]).exit_code == 1
    lost = SigningKey.load_or_create(tmp_path / KEY_FILE).public
    (tmp_path / KEY_FILE).unlink()
    made = RUNNER.invoke(app, ["hub", "new-key", *hub])
    assert made.exit_code == 0, made.output
    found = SigningKey.load_or_create(tmp_path / KEY_FILE).public
    assert found.text in made.stdout
    services = open_services(Settings(data_dir=tmp_path))
    version = services.catalogue.skills.version("reach", "1", ADA)
    found.verify(version.signature, skill_statement(version.digest))
    with pytest.raises(SignatureError):
        lost.verify(version.signature, skill_statement(version.digest))
    assert services.events.audit.verify("").broken_at is None
    services.close()


def test_lost_blobs_are_an_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUNFT_DATA_DIR", str(tmp_path / "hub"))
    services = open_services(Settings())
    with services.storage.spool.file() as file:
        file.write(tiny_skill().to_bytes())
        version, _ = services.catalogue.skills.publish(file, by=ADA)
    services.storage.store.delete(version.digest)
    services.close()
    made = RUNNER.invoke(app, ["hub", "backup", str(tmp_path / "hub.tar")])
    assert made.exit_code == 1
    assert version.digest in made.stderr
    assert (tmp_path / "hub.tar").exists()


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[str]:
    """What `zunft hub` says before its log, while it runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZUNFT_")}
    with subprocess.Popen(
        [sys.executable, "-m", "zunft", "hub", "--data-dir", str(folder), "--port", "0"],
        env=kept | {"COLUMNS": "400"} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()


def address_in(said: str) -> str:
    return next(word for word in said.split() if word.startswith("http://")).rstrip(";")


def test_a_hub_says_that_it_is_up_once_it_is_and_where_its_token_lies(tmp_path: Path) -> None:
    with started(tmp_path) as said:
        assert httpx.get(f"{address_in(said)}/healthz").is_success
        token = (tmp_path / "admin-token").read_text()
        assert str(tmp_path / "admin-token") in said
        assert token not in said


def test_a_restored_hub_says_how_to_come_by_a_token(tmp_path: Path) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "hub.tar"
    open_services(Settings(data_dir=old)).close()
    for words in (["backup", str(file), "--with-key", "--data-dir", str(old)],
                  ["restore", str(file), "--unverified", "--data-dir", str(new)]):  # fmt: skip
        done = RUNNER.invoke(app, ["hub", *words])
        assert done.exit_code == 0, done.output
    with started(new) as said:
        assert "admin-token" not in said
        assert "set ZUNFT_ADMIN_TOKEN" in said
    with started(new, ZUNFT_ADMIN_TOKEN=ADMIN) as said:
        assert "what ZUNFT_ADMIN_TOKEN says" in said
        users = httpx.get(f"{address_in(said)}/api/v1/users", headers={"Authorization": f"Bearer {ADMIN}"})
        assert users.is_success, users.text


def test_a_hub_whose_port_is_taken_does_not_say_that_it_is_up(tmp_path: Path) -> None:
    with started(tmp_path / "one") as said:
        port = address_in(said).rpartition(":")[2]
        second = subprocess.run(
            [sys.executable, "-m", "zunft", "hub", "--data-dir", str(tmp_path / "two"), "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode != 0
    assert second.stdout == ""
    assert "address already in use" in second.stderr
    assert "Traceback" not in second.stderr
