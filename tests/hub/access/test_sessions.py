"""Sessions: opened with a token, kept in a cookie, over in time, and of no use to other sites."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from hub.access.principal import THE_HUB
from hub.services import open_services
from hub.settings import Settings
from skills.lines import is_protected
from skills.messages.base import API
from tests.hub.access.test_oidc_issuer import browser, me
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok

HOUR = 3600
DAY = 24 * HOUR
OTHER_SITE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}


@pytest.fixture
def maria(hall: Hall) -> str:
    return str(
        ok(hall.post("/users", {"name": "maria", "role": "operator", "valid_days": 2})).json()["token"]
    )


@pytest.fixture
def here(hall: Hall, maria: str) -> Iterator[TestClient]:
    found = browser(hall)
    ok(open_session(found, maria))
    yield found
    found.close()


def open_session(client: TestClient, token: str, **headers: str) -> Any:
    return client.post(f"{API}/sessions", json={"token": token}, headers=headers)


def secret_of(client: TestClient) -> str:
    return str(client.cookies["zunft-session"])


def test_a_token_opens_a_session_that_is_its_user(hall: Hall, maria: str) -> None:
    client = browser(hall)
    answer = ok(open_session(client, maria))
    assert answer.json()["name"] == "maria"
    assert answer.headers["cache-control"] == "no-store"
    assert maria not in answer.text + str(answer.headers)
    assert me(client)["role"] == "operator"
    ok(client.get(f"{API}/robots"))
    hall.error(client.get(f"{API}/users"), 403)


def test_a_wrong_token_is_refused_and_logged_without_it(hall: Hall) -> None:
    client = browser(hall)
    with capture_logs() as log:
        hall.error(open_session(client, "zt_a-token-of-nobody"), 401)
    assert "sign_in.refused" in {line["event"] for line in log}
    assert "zt_a-token-of-nobody" not in str(log)
    assert not client.cookies


def test_a_session_ends_when_nobody_does_anything(hall: Hall, here: TestClient) -> None:
    for _ in range(3):
        hall.clock.advance(HOUR - 1)
        me(here)
    hall.clock.advance(HOUR)
    assert hall.error(here.get(f"{API}/users/me"), 401)["code"] == "session_over"


def test_a_page_that_lies_open_does_not_keep_a_session_alive(hall: Hall, here: TestClient) -> None:
    for _ in range(4):
        hall.services.access.sessions.principal(secret_of(here), in_use=False)
        hall.clock.advance(HOUR / 4)
    hall.error(here.get(f"{API}/users/me"), 401)


def test_a_session_ends_at_its_time_however_busy(hall: Hall, here: TestClient) -> None:
    for _ in range(12 * 2 - 1):
        hall.clock.advance(HOUR / 2)
        me(here)
    hall.clock.advance(HOUR / 2)
    hall.error(here.get(f"{API}/users/me"), 401)


def test_a_session_ends_with_the_token_that_opened_it(hall: Hall, maria: str) -> None:
    hall.clock.advance(2 * DAY - 60)
    client = browser(hall)
    ok(open_session(client, maria))
    hall.clock.advance(60)
    hall.error(client.get(f"{API}/users/me"), 401)


def token_of(hall: Hall, maria: str, name: str, *scopes: str) -> str:
    """A further token of Maria's."""
    headers = {"Authorization": f"Bearer {maria}"}
    request = {"name": name, "scopes": scopes}
    return str(ok(hall.client.post(f"{API}/users/me/tokens", json=request, headers=headers)).json()["token"])


def test_a_session_opens_no_more_than_the_token_that_opened_it(hall: Hall, maria: str) -> None:
    client = browser(hall)
    ok(open_session(client, token_of(hall, maria, "reader", "read")))
    ok(client.get(f"{API}/robots"))
    for path, request in (("/enrolment-tokens", {}), ("/users/me/tokens", {"name": "more"})):
        assert hall.error(client.post(API + path, json=request), 403)["code"] == "token_scope"


def test_a_token_that_is_not_for_looking_opens_no_session(hall: Hall, maria: str) -> None:
    client = browser(hall)
    answer = open_session(client, token_of(hall, maria, "pipeline", "publish"))
    assert hall.error(answer, 403)["code"] == "token_scope"
    assert not client.cookies


def test_a_session_ends_with_its_token_and_no_other(hall: Hall, here: TestClient, maria: str) -> None:
    client = browser(hall)
    ok(open_session(client, token_of(hall, maria, "second", "read")))
    ok(here.delete(f"{API}/users/me/tokens/second"))
    assert hall.error(client.get(f"{API}/users/me"), 401)["code"] == "session_over"
    me(here)


def test_a_token_made_in_a_session_ends_with_it(hall: Hall, here: TestClient) -> None:
    made = ok(here.post(f"{API}/users/me/tokens", json={"name": "more"})).json()
    assert datetime.fromisoformat(made["expires_at"]) == hall.clock() + timedelta(seconds=HOUR)


@pytest.mark.parametrize("what", ["signed out", "left alone", "token revoked", "signed out by an admin"])
def test_what_a_session_listens_to_ends_with_it(hall: Hall, here: TestClient, maria: str, what: str) -> None:
    services = hall.services
    listener = services.access.sessions.principal(secret_of(here))
    assert services.access.authenticator.still_holds(listener)
    match what:
        case "signed out":
            services.access.sessions.end(secret_of(here))
        case "left alone":
            hall.clock.advance(HOUR)
        case "token revoked":
            services.access.tokens.revoke("maria", "first", by=THE_HUB)
        case _:
            services.organisations.accounts.end_sessions("maria")
    assert not services.access.authenticator.still_holds(listener)
    if what != "token revoked":
        assert services.access.authenticator.still_holds(services.access.authenticator.user(maria))


def test_signing_in_anew_makes_a_new_secret_and_ends_the_old_one(
    hall: Hall, here: TestClient, maria: str
) -> None:
    before = secret_of(here)
    ok(open_session(here, maria))
    assert secret_of(here) != before
    me(here)
    here.cookies.clear()
    here.cookies.set("zunft-session", before)
    hall.error(here.get(f"{API}/users/me"), 401)


def test_a_secret_that_the_hub_did_not_make_opens_nothing(hall: Hall, maria: str) -> None:
    client = browser(hall)
    client.cookies.set("zunft-session", "zs_a-secret-that-somebody-else-chose", domain="127.0.0.1")
    ok(open_session(client, maria))
    secrets = {cookie.value for cookie in client.cookies.jar}
    assert "zs_a-secret-that-somebody-else-chose" not in secrets


def test_signing_out_ends_the_session_for_good(hall: Hall, here: TestClient) -> None:
    secret = secret_of(here)
    ok(here.delete(f"{API}/sessions/current"))
    assert not here.cookies
    here.cookies.set("zunft-session", secret)
    hall.error(here.get(f"{API}/users/me"), 401)


def test_an_admin_ends_all_sessions_of_a_user_and_no_other(hall: Hall, here: TestClient, maria: str) -> None:
    second, admin = browser(hall), browser(hall)
    ok(open_session(second, maria))
    ok(open_session(admin, ADMIN))
    ok(admin.delete(f"{API}/users/maria/sessions"))
    for client in (here, second):
        hall.error(client.get(f"{API}/users/me"), 401)
    me(admin)
    entry = hall.get("/audit")[-1]
    assert (entry["action"], entry["actor"], entry["subject"]) == ("sessions.ended", "user:admin", "maria")
    assert entry["details"] == {"count": 2}
    hall.error(admin.delete(f"{API}/users/nobody/sessions"), 404)


def test_a_revoked_user_is_signed_out(hall: Hall, here: TestClient) -> None:
    ok(hall.client.delete(f"{API}/users/maria", headers=hall.operator))
    hall.error(here.get(f"{API}/users/me"), 401)


def test_a_new_admin_token_ends_the_sessions_of_the_old_one(settings: Settings, clock: Hands) -> None:
    hub = open_services(settings, gate=StubGate(), clock=clock)
    secret, _ = hub.access.sign_in.with_token(ADMIN)
    assert hub.access.sessions.principal(secret).role == "admin"
    hub.close()
    changed = settings.model_copy(update={"admin_token": Settings(admin_token="zt_" + "n" * 20).admin_token})
    hub = open_services(changed, gate=StubGate(), clock=clock)
    with pytest.raises(Exception, match="session is over"):
        hub.access.sessions.principal(secret)
    hub.close()


def test_no_secret_is_kept_in_clear(hall: Hall, here: TestClient) -> None:
    with sqlite3.connect(hall.settings.data_dir / "hub.sqlite") as database:
        dump = "\n".join(database.iterdump())
    assert "maria" in dump
    assert secret_of(here) not in dump


def test_sessions_that_are_over_are_forgotten(hall: Hall, here: TestClient, maria: str) -> None:
    me(here)
    hall.clock.advance(DAY)
    ok(open_session(browser(hall), maria))
    with sqlite3.connect(hall.settings.data_dir / "hub.sqlite") as database:
        assert database.execute("SELECT count(*) FROM sessions").fetchone()[0] == 1


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Origin": "http://127.0.0.1"}, True),
        (OTHER_SITE, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://127.0.0.1:8081"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_only_pages_of_this_hub_change_anything_with_a_cookie(
    hall: Hall, here: TestClient, headers: dict[str, str], passes: bool
) -> None:
    del here.headers["Sec-Fetch-Site"]
    answer = here.post(f"{API}/enrolment-tokens", json={}, headers=headers)
    if passes:
        ok(answer)
    else:
        assert hall.error(answer, 403)["code"] == "cross_site"
        hall.error(here.delete(f"{API}/sessions/current", headers=headers), 403)
        assert [entry["action"] for entry in hall.get("/audit")][-1] == "user.created"
    ok(here.get(f"{API}/robots", headers=headers))


def test_another_site_cannot_sign_a_browser_in(hall: Hall, maria: str) -> None:
    client = browser(hall)
    assert hall.error(open_session(client, maria, **OTHER_SITE), 403)["code"] == "cross_site"
    assert not client.cookies


def test_a_token_needs_no_such_proof(hall: Hall, maria: str) -> None:
    headers = {"Authorization": f"Bearer {maria}", **OTHER_SITE}
    ok(hall.client.post(f"{API}/enrolment-tokens", json={}, headers=headers))


def test_a_token_goes_before_a_cookie(hall: Hall, here: TestClient) -> None:
    answer = ok(here.get(f"{API}/users/me", headers=hall.operator))
    assert answer.json()["name"] == "admin"


def test_what_a_session_asked_for_is_stored_nowhere(here: TestClient) -> None:
    assert ok(here.get(f"{API}/skills")).headers["cache-control"] == "no-store"


def test_no_session_over_a_line_that_others_read(hall: Hall, maria: str) -> None:
    client = TestClient(hall.app, base_url="http://hub.example", headers={"Sec-Fetch-Site": "same-origin"})
    assert hall.error(open_session(client, maria), 403)["code"] == "insecure_line"


def test_over_tls_the_cookie_is_bound_to_the_host(hall: Hall, maria: str) -> None:
    client = TestClient(hall.app, base_url="https://hub.example", headers={"Sec-Fetch-Site": "same-origin"})
    cookie = ok(open_session(client, maria)).headers["set-cookie"]
    assert cookie.startswith("__Host-zunft-session=zs_")
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/", "max-age=43200"} <= flags
    assert me(client)["name"] == "maria"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://hub.example", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://127.0.0.1.evil.example", False),
        ("http://192.168.1.7", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("", False),
    ],
)
def test_which_lines_are_protected(address: str, expected: bool) -> None:
    assert is_protected(address) == expected


def test_a_robot_is_no_user_here_either(hall: Hall) -> None:
    robot = hall.enrol("one")
    for method, path in (("GET", "/users/me"), ("DELETE", "/sessions/current")):
        hall.error(robot.request(method, path), 403)


def test_strangers_wrong_tokens_are_counted(settings: Settings, clock: Hands) -> None:
    few = settings.model_copy(update={"stranger_rate_limit": 0.001, "stranger_rate_burst": 3})
    hall = Hall(few, StubGate(), clock)
    client = browser(hall)
    statuses = [open_session(client, "zt_a-token-of-nobody").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    hall.close()
