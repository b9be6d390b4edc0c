"""`zunft rollout` and `zunft fleet status`: what is typed is what the hub does and shows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from skills.errors import RequestError
from skills.messages.reports import Report
from skills.messages.rollouts import RingPlan
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, small_settings
from tests.hub.rollouts.halls import fleet_of, say, tally, turn, two_versions
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands import fleet, rollout
from zunft.commands.rollout import read_ring

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    monkeypatch.setattr("zunft.commands.output.out", Console(width=250))
    found = Hall(small_settings(tmp_path), StubGate(), Hands())
    two_versions(found)
    for module in (fleet, rollout):
        monkeypatch.setattr(
            module, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found))
        )
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, [*arguments, "--token", ADMIN])


def document(*arguments: str) -> Any:
    found = run(*arguments, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_a_roll_out_from_the_command_line(hall: Hall) -> None:
    fleet_of(hall, 4)
    ring = "share=.5,embodiments=ur5e+panda,least_jobs=0,least_seconds=0,approval=true"
    started = document("rollout", "start", "reach", "2", "--ring", ring, "--ring", "share=1")
    name = started["rollout_id"]
    assert started["rings"][0]["plan"]["embodiments"] == ["ur5e", "panda"]
    turn(hall)
    shown = run("rollout", "show", name).stdout
    assert "50 % of the ur5e, panda robots" in shown
    assert "measured" in shown
    assert "paused" in run("rollout", "pause", name).stdout
    assert "open" in run("rollout", "resume", name).stdout
    assert isinstance(run("rollout", "approve", name).exception, Exception)
    assert "aborted. no good" in run("rollout", "abort", name, "--reason", "no good").stdout
    assert name in run("rollout", "list", "--skill", "reach").stdout
    assert [each["state"] for each in document("rollout", "list")["items"]] == ["aborted"]
    watched = run("rollout", "watch", name)
    assert isinstance(watched.exception, RequestError)


def test_the_fleet_s_standing_and_its_tags(hall: Hall) -> None:
    ada, _ = fleet_of(hall, 2, ["ur5e", "panda"])
    say(ada, Report(skill="reach", version=2, tallies=(tally(2, "1101"),), guards={"fresh": 3}))
    assert f"{ada.robot_id}: hall-3" in run("fleet", "tag", ada.robot_id, "hall-3").stdout
    found = document("fleet", "status", "reach", "--tag", "hall-3")["items"]
    assert [each["robot_id"] for each in found] == [ada.robot_id]
    line = next(each for each in run("fleet", "status", "reach").stdout.splitlines() if ada.robot_id in each)
    for word in ("v2", "v1", "3/4", "drifts", "fresh guard 3"):
        assert word in line
    assert len(document("fleet", "status", "reach", "--drift")["items"]) == 1
    assert "No such robots" in run("fleet", "status", "reach", "--lost").stdout


@pytest.mark.parametrize("text", ["share", "share=2", "colour=red", "least_jobs=many", "margin=1"])
def test_a_ring_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        read_ring(text)


def test_a_ring_as_it_is_typed() -> None:
    found = read_ring("tags=test-cell+hall-3,approval=true,least_seconds=60")
    assert found == RingPlan(tags=("test-cell", "hall-3"), approval=True, least_seconds=60)
