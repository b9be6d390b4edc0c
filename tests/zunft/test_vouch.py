"""`zunft skill vouch`: who vouches for a version, and what of it does not hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from skills.signing import SigningKey
from tests.hub.conftest import Hall, Hands, StubGate, ok, small_settings, tiny_skill
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands import vouch

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    found = Hall(small_settings(tmp_path), StubGate(), Hands())
    ok(found.publish(tiny_skill()))
    monkeypatch.setattr(vouch, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found)))
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["skill", "vouch", *arguments], env={"COLUMNS": "200"})


def keys(hall: Hall) -> tuple[str, ...]:
    access = hall.services.access
    return "--hub-key", access.key.public.text


def test_it_says_who_vouches_for_what_and_that_it_holds(hall: Hall) -> None:
    hall.release(1)
    done = run("reach@stable", *keys(hall))
    assert done.exit_code == 0, done.output
    found = json.loads(run("reach@stable", "--json").stdout)
    says = {each["kind"]: each["sentence"] for each in found["attestations"]}
    assert says == {
        "gate": "passed: 0.50 in 1 episodes of reach",
        "release": "made stable by user:admin",
    }
    assert {each["kind"]: each["complaint"] for each in found["attestations"]} == {"gate": "", "release": ""}


def test_it_says_what_does_not_hold(hall: Hall) -> None:
    hall.release(1)
    stranger = SigningKey.generate().public.text
    done = run("reach@stable", *keys(hall), "--gate-key", stranger, "--json")
    assert done.exit_code == 1
    found = {each["kind"]: each["complaint"] for each in json.loads(done.stdout)["attestations"]}
    assert found == {"gate": "another key than the one whose word counts", "release": ""}
    refused = run("reach@stable", "--hub-key", stranger)
    assert refused.exit_code != 0


@pytest.mark.usefixtures("hall")
def test_of_a_version_that_nobody_vouches_for_it_says_so() -> None:
    done = run("reach@1")
    assert (done.exit_code, done.stdout) == (1, "Nobody vouches for it.\n")
