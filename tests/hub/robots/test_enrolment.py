from __future__ import annotations

import pytest

from skills.messages.base import API
from skills.signing import SigningKey, VerifyKey, skill_statement
from tests.hub.conftest import Hall, ok, tiny_skill
from tests.skills.samples import other_spelling


def request(token: str, key: SigningKey | None = None, **changes: str) -> dict[str, str]:
    public = (key or SigningKey.generate()).public.text
    return {"token": token, "name": "arm 1", "embodiment": "ur5e", "public_key": public, **changes}


@pytest.fixture
def token(hall: Hall) -> str:
    hall.organisation("North Works")
    return str(ok(hall.post("/enrolment-tokens", {"organisation": "North Works"})).json()[0]["token"])


def enrol(hall: Hall, body: dict[str, str]) -> object:
    return ok(hall.client.post(API + "/robots", json=body)).json()


def test_a_robot_joins_and_is_known_by_its_key(hall: Hall) -> None:
    robot = hall.enrol("arm 1", "panda")
    me = ok(robot.request("GET", "/robots/me")).json()
    assert (me["name"], me["embodiment"]) == ("arm 1", "panda")
    assert [each["robot_id"] for each in hall.get("/robots")] == [robot.robot_id]


def test_the_robot_belongs_to_the_tokens_organisation(hall: Hall, token: str) -> None:
    enrol(hall, request(token))
    assert hall.get("/robots")[0]["organisation"] == "North Works"


def test_the_hubs_key_verifies_what_the_hub_publishes(hall: Hall, token: str) -> None:
    answer = ok(hall.client.post(API + "/robots", json=request(token))).json()
    ok(hall.publish(tiny_skill()))
    version = hall.version(1)
    VerifyKey(answer["hub_key"]).verify(version.signature, skill_statement(version.digest))


def test_a_token_enrols_one_robot(hall: Hall, token: str) -> None:
    enrol(hall, request(token))
    error = hall.error(hall.client.post(API + "/robots", json=request(token)), 401)
    assert error["code"] == "bad_enrolment_token"
    assert len(hall.get("/robots")) == 1


def test_a_robot_whose_answer_was_lost_asks_again_and_gets_the_same(hall: Hall, token: str) -> None:
    body = request(token)
    assert enrol(hall, body) == enrol(hall, body)
    assert len(hall.get("/robots")) == 1


def test_a_token_grows_old(hall: Hall) -> None:
    token = ok(hall.post("/enrolment-tokens", {"valid_seconds": 60})).json()[0]["token"]
    hall.clock.advance(61)
    hall.error(hall.client.post(API + "/robots", json=request(token)), 401)


def test_an_invented_token_is_refused(hall: Hall) -> None:
    error = hall.error(hall.client.post(API + "/robots", json=request("ze_" + "x" * 30)), 401)
    assert error["where"] == "token"


@pytest.mark.parametrize(
    "key", ["ed25519:" + "A" * 12, "rsa:" + "A" * 40, "ed25519:" + "?" * 44, f"ed25519:{'A' * 43}="]
)
def test_what_is_no_key_is_refused_and_the_token_stays_good(hall: Hall, token: str, key: str) -> None:
    response = hall.client.post(API + "/robots", json=request(token, public_key=key))
    assert hall.error(response, 401)["where"] == "public_key"
    enrol(hall, request(token))


def test_a_key_is_kept_in_one_spelling_whichever_the_robot_writes(hall: Hall, token: str) -> None:
    key = SigningKey.generate().public.text
    first = enrol(hall, request(token, public_key=other_spelling(key)))
    assert enrol(hall, request(token, public_key=key)) == first
    other = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    again = hall.client.post(API + "/robots", json=request(other, public_key=other_spelling(key)))
    assert hall.error(again, 409)["where"] == "public_key"


def test_two_robots_cannot_share_a_key(hall: Hall, token: str) -> None:
    key = SigningKey.generate()
    enrol(hall, request(token, key))
    other = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    hall.error(hall.client.post(API + "/robots", json=request(other, key)), 409)


def test_many_tokens_are_all_different(hall: Hall) -> None:
    tokens = ok(hall.post("/enrolment-tokens", {"count": 50})).json()
    assert len({each["token"] for each in tokens}) == 50
