"""The API of webhooks: who may do what, and where secrets do and do not show."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from hub.operations.backup import back_up
from hub.settings import Settings
from hub.webhooks import registry
from skills.messages.base import API
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.hub.webhooks.conftest import tell
from tests.hub.webhooks.receiver import Receiver, answer, receiving

URL = "https://mes.example.com/hooks/a-secret-path"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    networks = {"webhook_networks": "127.0.0.0/8,::1/128", "webhook_plain_http": True}
    return Settings.model_validate({**settings.model_dump(), **networks})


def add(hall: Hall, url: str = URL, **headers: str) -> dict[str, Any]:
    answered = hall.client.post(API + "/webhooks", json={"url": url}, headers=headers or hall.operator)
    found: dict[str, Any] = ok(answered).json()
    return found


def test_a_secret_is_shown_once_and_is_nowhere_else(hall: Hall) -> None:
    made = add(hall)
    secret = made["secret"]
    assert secret.startswith("whsec_")
    assert secret not in json.dumps(hall.get("/webhooks"))
    assert secret not in json.dumps(hall.get("/audit"))
    backup, _ = back_up(hall.settings, hall.settings.data_dir, hall.clock(), progress=lambda *_: None)
    assert secret.removeprefix("whsec_").encode() not in backup.read_bytes()
    assert made["webhook"]["webhook_id"].encode() in backup.read_bytes()
    assert "a-secret-path" not in json.dumps(hall.get("/audit"))


def test_webhooks_are_their_organisations_and_the_admins(hall: Hall) -> None:
    for name in ("North Works", "South Works"):
        hall.organisation(name)
    north = hall.user("nora", "operator", "North Works")
    south = hall.user("sven", "operator", "South Works")
    webhook_id = add(hall, **north)["webhook"]["webhook_id"]
    assert hall.client.get(API + "/webhooks", headers=south).json()["items"] == []
    theirs = hall.client.get(API + "/webhooks", headers=north).json()["items"]
    assert [each["organisation"] for each in theirs] == ["North Works"]
    for method, path in (
        ("DELETE", ""),
        ("POST", "/test"),
        ("GET", "/dead"),
        ("POST", "/redeliver"),
    ):
        body: dict[str, Any] | None = {} if path == "/redeliver" else None
        refused = hall.client.request(method, f"{API}/webhooks/{webhook_id}{path}", json=body, headers=south)
        assert hall.error(refused, 404)["where"] == "webhook_id"
    assert len(hall.get("/webhooks")) == 1
    assert hall.client.delete(f"{API}/webhooks/{webhook_id}", headers=north).status_code == 204
    assert hall.get("/webhooks") == []
    actions = [entry["action"] for entry in hall.get("/audit")]
    assert actions[-2:] == ["webhook.added", "webhook.removed"]


@pytest.mark.parametrize("url", ["https://192.168.0.1/", "https://u:p@example.com/", "gopher://example.com"])
def test_an_address_that_is_not_allowed_is_refused_in_words(hall: Hall, url: str) -> None:
    error = hall.error(hall.post("/webhooks", {"url": url}), 422)
    assert (error["code"], error["where"]) == ("address_refused", "url")
    assert error["remedy"]


def test_an_organisation_has_so_many_and_no_more(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "ALLOWED", 2)
    hall.organisation("North Works")
    for _ in range(2):
        add(hall)
    assert hall.error(hall.post("/webhooks", {"url": URL}), 409)["code"] == "too_many_webhooks"
    add(hall, **hall.user("nora", "operator", "North Works"))


def test_a_test_message_says_what_became_of_it(hall: Hall) -> None:
    with receiving() as receiver:
        made = add(hall, receiver.address)
        receiver.secret = made["secret"]
        path = f"/webhooks/{made['webhook']['webhook_id']}/test"
        assert hall.get(path)["state"] == "never"
        asked = hall.post(path)
        assert (asked.status_code, asked.headers["location"]) == (202, API + path)
        assert (asked.json()["state"], asked.json()["report"]) == ("queued", None)
        assert receiver.kinds() == []  # no request waits for the receiver
        tell(hall)
        assert hall.get(path)["report"]["delivered"] is True
        receiver.answers = [answer(503)]
        ok(hall.post(path))
        ok(hall.post(path))  # the same one
        tell(hall)
        trial = hall.get(path)
        assert (trial["state"], trial["report"]["delivered"], trial["report"]["status"]) == (
            "done",
            False,
            503,
        )
        listed = hall.get("/webhooks")[0]
        assert (listed["trouble"], listed["resting_until"]) == ("", None)
        assert receiver.kinds() == ["webhook.test"] * 2
        assert all(each.genuine for each in receiver.told)


def test_a_running_hub_tells_by_itself_and_counts(hall: Hall) -> None:
    with receiving() as receiver:
        receiver.secret = add(hall, receiver.address)["secret"]
        with hall.client:
            ok(hall.publish(tiny_skill(origin="upload")))
            receiver.wait_for(lambda: receiver.kinds() == ["version.published"])
            wait_until_told(hall, receiver)
            found = hall.client.get("/metrics", headers=hall.operator).text
    assert 'zunft_webhook_deliveries_total{outcome="delivered"} 1.0' in found
    assert "zunft_webhook_oldest_undelivered_seconds 0.0" in found


def wait_until_told(hall: Hall, receiver: Receiver) -> None:
    """The receiver has a message a little before the hub knows that it has it."""
    receiver.wait_for(lambda: hall.get("/webhooks")[0]["last_delivered_at"] is not None)


def test_arrears_are_seen_in_the_metrics(hall: Hall) -> None:
    with receiving() as receiver:
        receiver.secret = add(hall, receiver.address)["secret"]
        receiver.otherwise = answer(500)
        ok(hall.publish(tiny_skill()))
        hall.release()
        hall.clock.advance(7)
        assert oldest(hall) == 7
        (webhook_id,) = hall.services.webhooks.dispatcher.due()
        hall.services.webhooks.dispatcher.serve(webhook_id)
        assert oldest(hall) == 7
        with hall.services.storage.database.write() as session:
            session.execute(text("UPDATE undelivered SET due_at = NULL"))
        assert oldest(hall) == 0
        found = hall.client.get("/metrics", headers=hall.operator).text
        assert "zunft_webhook_dead_letters 1.0" in found


def oldest(hall: Hall) -> float:
    lines = hall.client.get("/metrics", headers=hall.operator).text.splitlines()
    (line,) = (each for each in lines if each.startswith("zunft_webhook_oldest_undelivered_seconds "))
    return float(line.split()[1])
