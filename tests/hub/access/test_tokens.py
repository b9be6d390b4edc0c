"""Several tokens a user: what each opens, how long, when it was used, and that one can go alone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from fleet.client import OperatorClient
from hub.access.principal import Principal
from hub.api import events
from skills.errors import UnauthorizedError
from skills.messages.base import API
from skills.messages.lists import CampaignQuery
from skills.messages.tokens import EVERY_SCOPE, TokenRequest
from tests.hub.conftest import ADMIN, Hall, Headers, ok, tiny_skill
from tests.hub.running import running_hub
from zunft.cli import app

DAY = 86_400
MINE = API + "/users/me/tokens"


@pytest.fixture
def maria(hall: Hall) -> Headers:
    return hall.user("maria", "operator")


def make(hall: Hall, by: Headers, name: str = "second", user: str = "me", **request: Any) -> httpx.Response:
    body = {"name": name, **request}
    return hall.client.post(f"{API}/users/{user}/tokens", json=body, headers=by)


def bearer(answer: httpx.Response) -> Headers:
    return {"Authorization": f"Bearer {ok(answer).json()['token']}"}


def names(hall: Hall, by: Headers, user: str = "me") -> list[str]:
    found = ok(hall.client.get(f"{API}/users/{user}/tokens", headers=by))
    return [token["name"] for token in found.json()["items"]]


def test_a_user_makes_lists_and_revokes_tokens_singly(hall: Hall, maria: Headers) -> None:
    second = bearer(make(hall, maria))
    assert names(hall, maria) == names(hall, second) == ["first", "second"]
    assert hall.error(make(hall, maria), 409)["where"] == "name"
    ok(hall.client.delete(f"{MINE}/first", headers=second))
    hall.error(hall.client.get(MINE, headers=maria), 401)
    assert names(hall, second) == ["second"]
    hall.error(hall.client.delete(f"{MINE}/first", headers=second), 404)


def test_no_list_shows_a_secret_or_a_hash(hall: Hall, maria: Headers) -> None:
    made = ok(make(hall, maria)).json()
    assert set(made) == {"name", "scopes", "created_at", "expires_at", "last_used_at", "token"}
    shown = ok(hall.client.get(MINE, headers=maria)).text
    assert made["token"] not in shown
    assert "hash" not in shown


def test_a_token_is_for_its_scopes_alone(hall: Hall, maria: Headers) -> None:
    reader = bearer(make(hall, maria, scopes=["read"]))
    ok(hall.client.get(API + "/robots", headers=reader))
    refused = [hall.client.post(API + "/enrolment-tokens", json={}, headers=reader)]
    refused += [hall.publish(tiny_skill(), reader), hall.client.get(MINE, headers=reader)]
    for answer in refused:
        error = hall.error(answer, 403)
        assert error["code"] == "token_scope"
        assert "'second'" in error["message"]
    publisher = bearer(make(hall, maria, "third", scopes=["publish"]))
    ok(hall.publish(tiny_skill(), publisher))
    hall.error(hall.client.get(API + "/skills", headers=publisher), 403)


@pytest.mark.parametrize("scopes", [[], ["write"], ["read"] * 6])
def test_strange_scopes_are_refused(hall: Hall, maria: Headers, scopes: list[str]) -> None:
    hall.error(make(hall, maria, scopes=scopes), 422)


def test_a_token_makes_none_that_opens_or_lasts_longer(hall: Hall, maria: Headers) -> None:
    weak = bearer(make(hall, maria, "weak", scopes=["read", "tokens"], valid_days=2))
    assert hall.error(make(hall, weak, "strong"), 403)["code"] == "token_scope"
    hall.error(make(hall, weak, "strong", scopes=["operate"]), 403)
    child = ok(make(hall, weak, "child", scopes=["read"], valid_days=365)).json()
    assert child["expires_at"] == "2026-03-03T12:00:00Z"
    hall.clock.advance(2 * DAY)
    hall.error(hall.client.get(API + "/robots", headers=bearer_of(child)), 401)


def bearer_of(made: dict[str, str]) -> Headers:
    return {"Authorization": f"Bearer {made['token']}"}


def test_others_tokens_are_for_admins_who_administer(hall: Hall, maria: Headers) -> None:
    hall.user("paul", "researcher")
    for user in ("paul", "nobody"):  # no word on who there is
        errors = [hall.error(make(hall, maria, user=user), 403)]
        errors.append(hall.error(hall.client.get(f"{API}/users/{user}/tokens", headers=maria), 403))
        target = f"{API}/users/{user}/tokens/first"
        errors.append(hall.error(hall.client.delete(target, headers=maria), 403))
        assert {(error["code"], error["message"]) for error in errors} == {
            ("not_yours", "maria may handle maria's own tokens only.")
        }
    made = bearer(make(hall, hall.operator, user="maria", scopes=["read"]))
    ok(hall.client.get(API + "/robots", headers=made))
    assert names(hall, hall.operator, "maria") == ["first", "second"]
    hall.error(make(hall, hall.operator, user="nobody"), 404)
    hall.error(hall.client.get(f"{API}/users/nobody/tokens", headers=hall.operator), 404)
    limited = bearer(make(hall, hall.operator, "limited", scopes=["read", "tokens"]))
    hall.error(make(hall, limited, "third", user="maria", scopes=["read"]), 403)


def test_when_a_token_was_last_used_is_known_to_the_minute(hall: Hall, maria: Headers) -> None:
    def used() -> list[str | None]:
        found = ok(hall.client.get(f"{API}/users/maria/tokens", headers=hall.operator))
        return [token["last_used_at"] for token in found.json()["items"]]

    ok(make(hall, hall.operator, user="maria"))
    assert used() == [None, None]
    ok(hall.client.get(API + "/robots", headers=maria))
    hall.clock.advance(59)
    ok(hall.client.get(API + "/robots", headers=maria))
    assert used() == ["2026-03-01T12:00:00Z", None]
    hall.clock.advance(1)
    ok(hall.client.get(API + "/robots", headers=maria))
    assert used() == ["2026-03-01T12:01:00Z", None]


def test_the_last_token_that_administers_stays(hall: Hall) -> None:
    admin = hall.operator
    ok(make(hall, admin, "reads", scopes=["read"]))
    hall.error(hall.client.delete(f"{MINE}/first", headers=admin), 409)
    ok(make(hall, admin, "spare", scopes=["administer", "tokens"]))
    ok(hall.client.delete(f"{MINE}/reads", headers=admin))
    ok(hall.client.delete(f"{MINE}/first", headers=admin))
    hall.error(hall.client.get(MINE, headers=admin), 401)


def test_revoking_a_user_takes_all_tokens(hall: Hall, maria: Headers) -> None:
    second = bearer(make(hall, maria))
    ok(hall.client.delete(f"{API}/users/maria", headers=hall.operator))
    for headers in (maria, second):
        hall.error(hall.client.get(API + "/robots", headers=headers), 401)


def test_the_audit_log_has_the_names_and_no_secret(hall: Hall, maria: Headers) -> None:
    made = ok(make(hall, maria)).json()
    ok(hall.client.delete(f"{MINE}/second", headers=maria))
    entries = hall.get("/audit")[-2:]
    assert [(entry["actor"], entry["action"], entry["subject"], entry["details"]) for entry in entries] == [
        ("user:maria", "token.created", "maria", {"token": "second"}),
        ("user:maria", "token.revoked", "maria", {"token": "second"}),
    ]
    assert made["token"] not in str(entries)


def test_a_stream_ends_when_its_token_is_revoked(hall: Hall, maria: Headers, monkeypatch: Any) -> None:
    monkeypatch.setattr(events, "PROOF_SECONDS", -1.0)  # looks each time
    listener = hall.services.access.authenticator.user(maria["Authorization"].removeprefix("Bearer "))

    async def listen() -> list[str]:
        heard: list[str] = []
        stream = await events.stream_events(hall.services, listener, None, 0)
        async for chunk in stream.body_iterator:
            assert isinstance(chunk, bytes)
            heard += re.findall("^event: (.*)$", chunk.decode(), re.MULTILINE)
            # Made anew under the same name, at once: it is still another's login.
            await asyncio.to_thread(hall.services.organisations.accounts.revoke, "maria")
            await asyncio.to_thread(hall.user, "maria", "operator")
            await asyncio.to_thread(hall.publish, tiny_skill(name="later"))
        return heard

    ok(hall.publish(tiny_skill()))
    hall.release()
    told = asyncio.run(listen())
    released = ["release.queued", "channel.moved", "version.published"]
    assert told == ["version.added", "channel.moved", *released]


@pytest.mark.parametrize("what", ["role", "expired", "gone", "robot"])
def test_a_login_no_longer_holds(hall: Hall, maria: Headers, what: str) -> None:
    authenticator = hall.services.access.authenticator
    known = authenticator.user(maria["Authorization"].removeprefix("Bearer "))
    assert authenticator.still_holds(known)
    signed_in = Principal("maria", "operator", "guild")
    assert authenticator.still_holds(signed_in)
    match what:
        case "role":
            assert not authenticator.still_holds(Principal("maria", "admin", "guild"))
        case "expired":
            hall.clock.advance(365 * DAY)
            assert not authenticator.still_holds(known)
        case "gone":
            hall.services.organisations.accounts.revoke("maria")
            assert not authenticator.still_holds(signed_in)
        case _:
            robot = hall.enrol("one")
            assert authenticator.still_holds(Principal(robot.robot_id, "robot", "guild"))
            assert not authenticator.still_holds(Principal("r-none", "robot", "guild"))


def test_the_commands_make_list_and_revoke(tmp_path: Path) -> None:
    with running_hub(tmp_path) as hub:
        access = ["--hub", hub.address, "--token", ADMIN]
        made = CliRunner().invoke(
            app, ["user", "token", "create", "dashboard", "--scope", "read", "--valid-days", "9", *access]
        )
        token = made.stdout.split()[-1]
        reader = OperatorClient.open(hub.address, token)
        assert reader.campaigns(CampaignQuery()).items == ()
        listed = CliRunner().invoke(app, ["user", "token", "list", *access])
        assert "dashboard" in listed.stdout
        assert token not in listed.stdout
        assert CliRunner().invoke(app, ["user", "token", "revoke", "dashboard", *access]).exit_code == 0
        with pytest.raises(UnauthorizedError):
            reader.campaigns(CampaignQuery())
        admin = OperatorClient.open(hub.address, ADMIN)
        assert admin.create_token("me", TokenRequest(name="all")).scopes == EVERY_SCOPE
        wrong = CliRunner().invoke(app, ["user", "token", "create", "x", "--scope", "write", *access])
        assert wrong.exit_code != 0
        assert "write" in str(wrong.exception)
