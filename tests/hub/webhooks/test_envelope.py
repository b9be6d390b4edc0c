from __future__ import annotations

import json
from typing import Any

import pytest

from hub.webhooks.envelope import cloud_event, hub_urn, new_secret, signed_headers
from skills.messages.events import Event
from skills.signing import SigningKey
from tests.hub.conftest import Hands

NOW = Hands()()


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    headers = signed_headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
    )


def test_an_event_is_a_cloud_event_in_structured_mode() -> None:
    event = Event(id=7, kind="version.published", at=NOW, data={"skill": "reach", "version": 2})
    assert json.loads(cloud_event(event, "urn:zunft:hub:1")) == {
        "specversion": "1.0",
        "id": "7",
        "source": "urn:zunft:hub:1",
        "type": "zunft.version.published",
        "subject": "reach/2",
        "time": "2026-03-01T12:00:00Z",
        "datacontenttype": "application/json",
        "data": {"skill": "reach", "version": 2},
    }


@pytest.mark.parametrize(
    ("data", "subject"),
    [
        ({"round_id": "c-1-2", "campaign_id": "c-1"}, "c-1-2"),
        ({"campaign_id": "c-1", "skill": "reach"}, "c-1"),
        ({"robot_id": "r-1"}, "r-1"),
        ({}, "robot.lost"),
    ],
)
def test_the_subject_is_what_the_event_is_about(data: dict[str, Any], subject: str) -> None:
    found = json.loads(cloud_event(Event(id=1, kind="robot.lost", at=NOW, data=data), "urn:x"))
    assert found["subject"] == subject


def test_hubs_are_told_apart_by_their_keys_and_secrets_are_new() -> None:
    one, two = SigningKey.generate().public.text, SigningKey.generate().public.text
    assert hub_urn(one) == hub_urn(one) != hub_urn(two)
    assert new_secret() != new_secret()
    assert len(new_secret()) == len("whsec_") + 44
