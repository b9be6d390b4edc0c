"""`zunft hub`: running is the default, and a hub goes into a file and out of it by commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.auth import Principal
from hub.database import SettingsError
from hub.services import open_services
from hub.settings import KEY_FILE, Settings
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
    monkeypatch.setattr("hub.server.serve", served.append)
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
    again = RUNNER.invoke(app, ["hub", "restore", facts["file"], *new])
    assert again.exit_code == 0, again.output
    assert "no signing key" in again.stderr
    with pytest.raises(SettingsError, match="its key is not here"):
        open_services(Settings(data_dir=tmp_path / "new"))
    (tmp_path / "new" / KEY_FILE).write_bytes((tmp_path / "old" / KEY_FILE).read_bytes())
    services = open_services(Settings(data_dir=tmp_path / "new"))
    assert services.authenticator.user(ADMIN).role == "admin"
    services.close()


def test_a_hub_whose_key_is_lost_gets_a_new_one_and_signs_its_skills_anew(tmp_path: Path) -> None:
    hub = ["--data-dir", str(tmp_path)]
    services = open_services(Settings(data_dir=tmp_path))
    with services.spool.file() as file:
        file.write(tiny_skill().to_bytes())
        services.catalogue.publish(file, by=ADA)
    services.close()
    assert RUNNER.invoke(app, ["hub", "new-key", *hub]).exit_code == 1
    lost = SigningKey.load_or_create(tmp_path / KEY_FILE).public
    (tmp_path / KEY_FILE).unlink()
    made = RUNNER.invoke(app, ["hub", "new-key", *hub])
    assert made.exit_code == 0, made.output
    found = SigningKey.load_or_create(tmp_path / KEY_FILE).public
    assert found.text in made.stdout
    services = open_services(Settings(data_dir=tmp_path))
    version = services.catalogue.version("reach", "1", ADA)
    found.verify(version.signature, skill_statement(version.digest))
    with pytest.raises(SignatureError):
        lost.verify(version.signature, skill_statement(version.digest))
    assert services.audit.verify("").broken_at is None
    services.close()


def test_lost_blobs_are_an_exit_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZUNFT_DATA_DIR", str(tmp_path / "hub"))
    services = open_services(Settings())
    with services.spool.file() as file:
        file.write(tiny_skill().to_bytes())
        version, _ = services.catalogue.publish(file, by=ADA)
    services.store.delete(version.digest)
    services.close()
    made = RUNNER.invoke(app, ["hub", "backup", str(tmp_path / "hub.tar")])
    assert made.exit_code == 1
    assert version.digest in made.stderr
    assert (tmp_path / "hub.tar").exists()
