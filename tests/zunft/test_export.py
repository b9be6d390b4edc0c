"""`zunft skill export`: a skill of a hub, or a file, as ONNX."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from skills.onnx_policy import OnnxPolicy
from skills.signing import SigningKey
from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings, tiny_skill
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands import export

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    found = Hall(small_settings(tmp_path), StubGate(), Hands())
    ok(found.publish(tiny_skill()))
    found.release(1)
    monkeypatch.setattr(export, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found)))
    monkeypatch.chdir(tmp_path)
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["skill", "export", *arguments], env={"COLUMNS": "200"})


def test_a_hub_s_skill_becomes_a_file_that_says_which_it_was(hall: Hall, tmp_path: Path) -> None:
    key = hall.services.access.key.public.text
    done = run("reach@stable", "--onnx", "--hub-key", key, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    data = (tmp_path / "reach-v1.onnx").read_bytes()
    assert (said["file"], said["bytes"], said["digest"]) == ("reach-v1.onnx", len(data), tiny_skill().digest)
    assert OnnxPolicy(data).metadata["zunft.digest"] == tiny_skill().digest


@pytest.mark.usefixtures("hall")
def test_what_another_key_signed_is_not_exported(tmp_path: Path) -> None:
    done = run("reach@stable", "--onnx", "--hub-key", SigningKey.generate().public.text)
    assert done.exit_code != 0
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.usefixtures("hall")
def test_a_file_is_exported_without_a_hub(tmp_path: Path) -> None:
    tiny_skill().save(tmp_path / "mine.skill")
    done = run("mine.skill", "--onnx", "-o", "mine.onnx")
    assert (done.exit_code, done.stdout.startswith("mine.onnx: reach v1 as ONNX, opset 17")) == (0, True)
    assert (tmp_path / "mine.onnx").exists()


@pytest.mark.usefixtures("hall")
def test_the_form_has_to_be_said() -> None:
    assert "Say --onnx" in str(run("reach@stable").exception)
