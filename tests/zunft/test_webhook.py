"""`zunft webhook`, from adding one to sending its dead letters again, against a hub and a receiver."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fleet.client import OperatorClient
from hub.settings import Settings
from skills.errors import RequestError
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.webhooks.conftest import tell
from tests.hub.webhooks.receiver import answer, receiving
from tests.zunft.test_campaign import _Within
from zunft.cli import app
from zunft.commands import webhook

RUNNER = CliRunner()


@pytest.fixture
def hall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hall]:
    settings = {
        "data_dir": tmp_path,
        "admin_token": ADMIN,
        "console": False,
        "webhook_networks": "127.0.0.0/8,::1/128",
        "webhook_plain_http": True,
        "webhook_attempts": 1,
    }
    found = Hall(Settings.model_validate(settings), StubGate(), Hands())
    monkeypatch.setattr(
        webhook, "connect", lambda hub, token: OperatorClient.open(hub, token, _Within(found))
    )
    monkeypatch.setattr(webhook, "sleep", lambda _: tell(found))  # instead of a hub that runs
    yield found
    found.close()


def run(*arguments: str) -> Result:
    return RUNNER.invoke(app, ["webhook", *arguments, "--token", ADMIN], env={"COLUMNS": "250"})


def said(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def test_from_adding_one_to_sending_its_dead_letters_again(hall: Hall) -> None:
    assert "No webhooks yet" in said("list")
    with receiving() as receiver:
        added = said("add", receiver.address, "--kind", "version.published", "--kind", "robot.lost")
        webhook_id, receiver.secret = added.splitlines()[0].split(": ")
        assert "taken with status 204" in said("test", webhook_id)
        receiver.answers = [answer(500), answer(500)]
        assert run("test", webhook_id).exit_code == 1
        ok(hall.publish(tiny_skill()))
        hall.release()
        tell(hall)
        (listed,) = json.loads(said("list", "--json"))["items"]
        assert listed["kinds"] == ["version.published", "robot.lost"]
        assert listed["trouble"] == "it answered with status 500."
        assert webhook_id[:4] in said("list")
        (letter,) = json.loads(said("dead", webhook_id, "--json"))["items"]
        assert "500" in said("dead", webhook_id)
        assert "1 dead letters" in said("redeliver", webhook_id, "--event", str(letter["event"]))
        tell(hall)
        assert receiver.kinds() == ["webhook.test", "webhook.test", *["version.published"] * 2]
        assert all(each.genuine for each in receiver.told)
    assert "No dead letters" in said("dead", webhook_id)
    assert "is removed" in said("remove", webhook_id)
    assert json.loads(said("list", "--json"))["items"] == []


@pytest.mark.parametrize(
    ("words", "where"), [(["short"], "url"), (["https://example.com", "--kind", "robot.found"], "kinds")]
)
def test_what_makes_no_sense_is_refused_before_it_is_sent(hall: Hall, words: list[str], where: str) -> None:
    result = run("add", *words)
    assert isinstance(result.exception, RequestError)
    assert result.exception.where == where
    assert hall.get("/webhooks") == []
