"""`zunft robot forget`: what it asks, what it says, and what it leaves to the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from hub.settings import Settings
from skills.errors import RequestError
from skills.messages.withdrawals import WithdrawalView
from tests.hub.conftest import ADMIN, Hall, Hands, Robot, ok
from tests.hub.withdrawals.guild import BASE, GrowingGate, train
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands.robot import operator as command

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    settings = {"data_dir": tmp_path, "admin_token": ADMIN, "console": False}
    found = Hall(Settings.model_validate(settings), GrowingGate(), Hands())
    ok(found.publish(BASE))

    def connect(hub: str, token: str) -> OperatorClient:
        return OperatorClient.open(hub, token, _Within(found))

    monkeypatch.setattr(command, "connect", connect)
    # The hub works while the command waits.
    monkeypatch.setattr(
        "zunft.commands.robot.operator.time.sleep", lambda _: found.services.withdrawals.worker.work()
    )
    yield found
    found.close()


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    found = [hall.enrol(f"robot {number}") for number in range(3)]
    train(hall, found, rounds=2)
    return found


def run(robot: Robot, *options: str, answer: str = "") -> Result:
    words = ["robot", "forget", robot.robot_id, *options, "--token", ADMIN]
    return RUNNER.invoke(app, words, input=answer, env={"COLUMNS": "200"})


def test_it_asks_and_whoever_says_no_changes_nothing(hall: Hall, robots: list[Robot]) -> None:
    result = run(robots[0], answer="n\n")
    assert result.exit_code == 1
    assert "planned: 2 deltas" in result.output
    assert "There is no way back" in result.output
    assert hall.get("/withdrawals") == []
    assert hall.version("stable").version == 3


def test_a_dry_run_says_what_would_change(hall: Hall, robots: list[Robot]) -> None:
    result = run(robots[0], "--dry-run")
    assert result.exit_code == 0, result.exception
    said = " ".join(result.output.split())
    assert "2 versions withdrawn, 2 rounds merged again, 0 dropped, 0 ended." in said
    assert hall.get("/withdrawals") == []


def test_it_waits_for_the_hub_and_shows_the_report(hall: Hall, robots: list[Robot]) -> None:
    result = run(robots[0], "--purge", answer="y\n")
    assert result.exit_code == 0, result.exception
    lines = " ".join(result.output.split())
    assert "rebuilt │ 3 -> 2 │ v2 -> v4" in lines
    assert "v3 -> v5" in lines
    assert "done: 2 deltas" in lines
    assert "their files deleted" in lines
    assert hall.version("stable").version == 5


def test_robots_are_listed_until_they_are_forgotten(robots: list[Robot]) -> None:
    assert run(robots[0], "--yes").exit_code == 0
    listed = RUNNER.invoke(app, ["robot", "list", "--token", ADMIN], env={"COLUMNS": "200"}).output
    assert [robot.robot_id in listed for robot in robots] == [False, True, True]
    shown = RUNNER.invoke(app, ["robot", "list", "--json", "--token", ADMIN]).output
    assert {each["name"] for each in json.loads(shown)["items"]} == {"robot 1", "robot 2"}


def test_scripts_get_the_report_as_json(hall: Hall, robots: list[Robot]) -> None:
    result = run(robots[0], "--yes", "--json")
    assert result.exit_code == 0, result.exception
    found = WithdrawalView.model_validate(json.loads(result.output))
    assert found.model_dump(mode="json") == hall.get(f"/withdrawals/{found.withdrawal_id}")


def test_what_failed_is_an_error(robots: list[Robot], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.withdrawals.steps.take_back", lambda *_: 1 / 0)
    result = run(robots[0], "--yes")
    assert isinstance(result.exception, RequestError)
    assert "division" in result.exception.message
