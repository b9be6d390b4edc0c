"""`zunft skill release` and `minimum`: measured first, waited for, and the outcome said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, small_settings, tiny_skill
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands import release, skill

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    found = Hall(small_settings(tmp_path), StubGate(), Hands())
    ok(found.publish(tiny_skill()))
    for module in (skill, release):
        monkeypatch.setattr(
            module, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found))
        )
    monkeypatch.setattr(release, "sleep", lambda _: found.services.catalogue.releaser.work())
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["skill", *arguments, "--token", ADMIN], env={"COLUMNS": "200"})


def test_it_waits_until_the_version_was_measured(hall: Hall) -> None:
    done = run("release", "reach", "1")
    assert (done.exit_code, done.stdout) == (0, "reach: stable is now v1\n")
    assert hall.version("stable").version == 1


@pytest.mark.usefixtures("hall")
def test_what_the_hub_refuses_is_said_with_the_reason() -> None:
    assert "at least 0.75" in run("minimum", "reach", "0.75").stdout
    refused = run("release", "reach", "1")
    assert refused.exit_code == 1
    assert "reach v1 did not become stable: " in refused.stdout
    assert "at least 75.0%" in refused.stdout
    assert "more than doing nothing" in run("minimum", "reach", "nothing").stdout
    assert run("release", "reach", "1").exit_code == 0


def test_nobody_has_to_wait(hall: Hall) -> None:
    asked = run("release", "reach", "1", "--no-wait", "--json")
    assert asked.exit_code == 0
    assert json.loads(asked.stdout)["state"] == "queued"
    assert "is queued" in run("release", "reach", "1", "--no-wait").stdout
    assert hall.gate.asked == []
