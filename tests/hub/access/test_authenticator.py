from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from starlette.types import Message, Scope

from hub.app import create_app
from hub.settings import Settings
from skills.fits import Abilities
from skills.messages.base import API, DELTA_SIGNATURE_HEADER
from skills.proof import DIGEST, INPUT, content_digest
from skills.signing import SigningKey
from tests.hub.conftest import ADMIN, Hall, Hands, Robot, StubGate, ok, tiny_skill

WRITES = [
    ("POST", "/enrolment-tokens", "operator"),
    ("GET", "/robots", "operator"),
    ("POST", "/skills", "researcher"),
    ("PUT", "/skills/reach/channels/stable", "operator"),
    ("POST", "/campaigns", "operator"),
    ("POST", "/campaigns/c-1/stop", "operator"),
    ("POST", "/users", "admin"),
    ("DELETE", "/users/ada", "admin"),
]
READS = ["/campaigns", "/campaigns/c-1", "/rounds/c-1-1", "/events", "/robots/me"]
RANKS = ["researcher", "operator", "admin"]


@pytest.fixture
def robot(hall: Hall) -> Robot:
    return hall.enrol("one")


def token_of(hall: Hall, role: str) -> dict[str, str]:
    created = ok(hall.post("/users", {"name": f"a {role}", "role": role})).json()
    return {"Authorization": f"Bearer {created['token']}"}


@pytest.mark.parametrize(("method", "path", "_role"), WRITES)
def test_nobody_writes_without_a_login(hall: Hall, method: str, path: str, _role: str) -> None:
    response = hall.client.request(method, API + path, json={"unheard": "of"})
    assert hall.error(response, 401)["where"] == "Authorization"


@pytest.mark.parametrize("path", READS)
def test_what_is_not_the_catalogue_needs_a_login(hall: Hall, path: str) -> None:
    hall.error(hall.client.get(API + path), 401)


@pytest.mark.parametrize(("method", "path", "role"), WRITES)
def test_a_role_may_do_what_its_rank_includes(hall: Hall, method: str, path: str, role: str) -> None:
    bodies = {"/users": {"name": "new", "role": "researcher"}, "/campaigns": {"skill": "reach"}}
    for rank in RANKS:
        body = bodies.get(path, {"version": 1} if method == "PUT" else {})
        response = hall.client.request(method, API + path, json=body, headers=token_of(hall, rank))
        allowed = RANKS.index(rank) >= RANKS.index(role)
        assert (response.status_code != 403) == allowed, (rank, response.text)


def test_a_robot_is_no_user(hall: Hall, robot: Robot) -> None:
    hall.error(robot.request("GET", "/robots"), 403)
    hall.error(robot.request("POST", "/skills", tiny_skill().to_bytes()), 403)


def test_a_user_is_no_robot(hall: Hall) -> None:
    response = hall.client.get(API + "/robots/me/assignment?skill=reach", headers=hall.operator)
    hall.error(response, 403)


def test_the_catalogue_can_be_closed(settings: Settings, clock: Hands) -> None:
    hall = Hall(settings.model_copy(update={"public_catalogue": False}), StubGate(), clock)
    hall.error(hall.client.get(API + "/skills"), 401)
    ok(hall.client.get(API + "/skills", headers=hall.operator))
    hall.close()


def test_a_wrong_token_is_refused_also_where_none_is_needed(hall: Hall) -> None:
    hall.error(hall.client.get(API + "/skills", headers={"Authorization": "Bearer zt_wrong"}), 401)


def test_a_revoked_user_is_nobody(hall: Hall) -> None:
    headers = token_of(hall, "operator")
    ok(hall.client.get(API + "/robots", headers=headers))
    ok(hall.client.delete(API + "/users/a operator", headers=hall.operator))
    hall.error(hall.client.get(API + "/robots", headers=headers), 401)


def test_the_last_admin_stays(hall: Hall) -> None:
    hall.error(hall.client.delete(API + "/users/admin", headers=hall.operator), 409)
    ok(hall.client.get(API + "/robots", headers=hall.operator))


def test_a_user_name_is_given_once(hall: Hall) -> None:
    ok(hall.post("/users", {"name": "ada", "role": "operator"}))
    hall.error(hall.post("/users", {"name": "ada", "role": "admin"}), 409)


def test_no_token_is_kept_in_clear(hall: Hall) -> None:
    user = token_of(hall, "operator")["Authorization"].removeprefix("Bearer ")
    enrolment = ok(hall.post("/enrolment-tokens", {})).json()[0]["token"]
    with sqlite3.connect(hall.settings.data_dir / "hub.sqlite") as database:
        dump = "\n".join(database.iterdump())
    assert user not in dump
    assert enrolment not in dump
    assert ADMIN not in dump


def test_the_first_admins_token_is_kept_for_its_owner_only(tmp_path: Path) -> None:
    app = create_app(Settings.model_validate({"data_dir": tmp_path, "console": False}))
    path = tmp_path / "admin-token"
    assert path.stat().st_mode & 0o777 == 0o600
    assert app.state.services.access.authenticator.user(path.read_text()).role == "admin"
    app.state.services.close()
    again = create_app(Settings.model_validate({"data_dir": tmp_path, "console": False}))
    assert again.state.services.access.authenticator.user(path.read_text()).role == "admin"
    again.state.services.close()


def test_a_proof_is_for_one_request_only(hall: Hall, robot: Robot) -> None:
    signed = robot.headers("GET", API + "/robots/me", b"")
    other = API + "/robots/me/assignment?skill=reach"
    assert hall.error(hall.client.get(other, headers=signed), 401)["code"] == "bad_signature"
    ok(hall.client.get(API + "/robots/me", headers=signed))
    assert hall.error(hall.client.get(API + "/robots/me", headers=signed), 401)["code"] == "replayed_request"


def test_the_query_is_part_of_what_is_signed(hall: Hall, robot: Robot) -> None:
    signed = robot.headers("GET", API + "/robots/me/assignment?skill=reach", b"")
    response = hall.client.get(API + "/robots/me/assignment?skill=weld", headers=signed)
    assert hall.error(response, 401)["code"] == "bad_signature"


def test_a_request_of_an_hour_ago_is_refused(hall: Hall, robot: Robot) -> None:
    signed = robot.headers("GET", API + "/robots/me", b"")
    hall.clock.advance(3600)
    response = hall.client.get(API + "/robots/me", headers=signed)
    assert hall.error(response, 401)["code"] == "stale_request"


def scope_of(method: str, target: str, headers: Mapping[str, str]) -> Scope:
    fields = {"Content-Type": "application/json", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in fields.items()],
        "client": ("192.0.2.1", 1),
        "server": ("hub", 80),
    }


@pytest.mark.parametrize("nonce", ["x", "x" * 65])
def test_a_nonce_has_its_length(hall: Hall, robot: Robot, nonce: str) -> None:
    signed = robot.headers("GET", API + "/robots/me", b"", nonce=nonce)
    assert hall.error(hall.client.get(API + "/robots/me", headers=signed), 401)["where"] == INPUT


def test_a_robot_cannot_speak_for_another(hall: Hall, robot: Robot) -> None:
    other = hall.enrol("two")
    forger = Robot(hall.client, hall.clock, other.robot_id, robot.key)
    hall.error(forger.request("GET", "/robots/me"), 401)


def told(robot: Robot, sent: bytes, *, signed: bytes, **headers: str) -> httpx.Response:
    """What a robot serves, where what it signed is another text."""
    target = API + "/robots/me/abilities"
    proof = robot.headers("PUT", target, signed)
    kind = {"Content-Type": "application/json"}
    return robot.client.put(target, content=sent, headers={**kind, **proof, **headers})


def test_the_body_is_the_one_that_was_signed(hall: Hall, robot: Robot) -> None:
    said = Abilities().model_dump_json().encode()
    ok(told(robot, said, signed=said))
    for signed in (said + b" ", b""):
        error = hall.error(told(robot, said, signed=signed), 401)
        assert (error["code"], error["where"]) == ("bad_signature", DIGEST)
    error = hall.error(told(robot, said, signed=b"{}", **{DIGEST: content_digest(said)}), 401)
    assert (error["code"], error["where"]) == ("bad_signature", "signature")


def test_a_file_is_the_one_that_was_signed(hall: Hall, robot: Robot) -> None:
    target = API + "/rounds/c-1-1/deltas"
    headers = robot.headers("POST", target, b"signed") | {DELTA_SIGNATURE_HEADER: "x"}
    error = hall.error(hall.client.post(target, content=b"sent", headers=headers), 401)
    assert (error["code"], error["where"]) == ("bad_signature", DIGEST)


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/robots/me/abilities"), ("POST", "/uploads"), ("POST", "/rounds/c-1-1/deltas")],
)
def test_no_body_is_read_before_the_signature_holds(hall: Hall, robot: Robot, method: str, path: str) -> None:
    forger = Robot(hall.client, hall.clock, robot.robot_id, SigningKey.generate())
    read = []

    async def ask() -> list[Message]:
        said: list[Message] = []

        async def receive() -> Message:
            read.append(1)
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Message) -> None:
            said.append(message)

        await hall.app(scope_of(method, API + path, forger.headers(method, API + path, b"{}")), receive, send)
        return said

    said = asyncio.run(ask())
    assert said[0]["status"] == 401
    assert read == []


def test_old_nonces_are_forgotten(hall: Hall, robot: Robot) -> None:
    for _ in range(5):
        ok(robot.request("GET", "/robots/me"))
        hall.clock.advance(301)
    with sqlite3.connect(hall.settings.data_dir / "hub.sqlite") as database:
        assert database.execute("SELECT count(*) FROM nonces").fetchone()[0] <= 3


def test_a_wrong_signature_uses_up_no_nonce(hall: Hall, robot: Robot) -> None:
    stranger = Robot(hall.client, hall.clock, robot.robot_id, SigningKey.generate())
    hall.error(stranger.request("GET", "/robots/me"), 401)
    ok(robot.request("GET", "/robots/me"))


def test_an_admin_token_that_could_be_guessed_is_refused() -> None:
    with pytest.raises(ValidationError, match="16 characters"):
        Settings.model_validate({"admin_token": "admin"})


def test_every_setting_says_what_it_does_and_no_secret_is_shown() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
    assert ADMIN not in repr(Settings.model_validate({"admin_token": ADMIN, "s3_secret_key": ADMIN}))
