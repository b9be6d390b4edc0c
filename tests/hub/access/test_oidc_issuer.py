"""Signing in at an issuer in a process of its own, honest and lying, through the hub's own addresses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from pydantic import ValidationError
from structlog.testing import capture_logs

from hub.access.oidc_issuer import Attempt
from hub.settings import Settings
from skills.messages.base import API
from tests.hub.conftest import ADMIN, Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.issuer import CLIENT, SECRET, RunningIssuer, running_issuer

ADA: dict[str, Any] = {"sub": "7f3c", "preferred_username": "ada", "groups": ["welders"]}
LIES_OF_TOKENS = {
    "issuer": "'iss'",
    "audience": "'aud'",
    "party": "'azp'",
    "nonce": "'nonce'",
    "no nonce": "Missing claim: 'nonce'",
    "expired": "expired",
    "early": "in the future",
    "access token": "'at_hash'",
    "changed": "bad_signature",
    "alg none": "'none' is not allowed",
    "public key as a secret": "'HS256' is not allowed",
    "unknown key": "No key",
    "another's key": "bad_signature",
    "no token": "no ID token",
    "another's answer": "another issuer",
    "denied": "access_denied",
}
"""And what the log must say of each, so that none is refused for another reason."""

LIES_OF_DOCUMENTS = ["down", "not json", "a list", "huge", "plain http", "another's document"]
HERE = "http://127.0.0.1"


@pytest.fixture(scope="module")
def issuer() -> Iterator[RunningIssuer]:
    with running_issuer() as found:
        yield found


@pytest.fixture(scope="module")
def wary(issuer: RunningIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """One hub for all lies: none may change anything in it."""
    folder = tmp_path_factory.mktemp("wary")
    settings = Settings.model_validate({"data_dir": folder, "admin_token": ADMIN, "console": False})
    found = hall_with(settings, issuer, Hands())
    yield found
    found.close()


@pytest.fixture
def hall(settings: Settings, issuer: RunningIssuer, clock: Hands) -> Iterator[Hall]:
    found = hall_with(settings, issuer, clock)
    yield found
    found.close()


def hall_with(settings: Settings, issuer: RunningIssuer, clock: Hands, **changes: Any) -> Hall:
    given = {
        "oidc_issuer": issuer.name,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "oidc_roles": {"welders": "operator", "owners": "admin", "students": "researcher"},
        "oidc_organisations": {"north": "North Works"},
        **changes,
    }
    return Hall(Settings.model_validate({**dict(settings), **given}), StubGate(), clock)


def browser(hall: Hall) -> TestClient:
    """A browser of its own: with cookies, and saying where its requests come from."""
    return TestClient(
        hall.app,
        base_url=HERE,
        headers={"Sec-Fetch-Site": "same-origin"},
        follow_redirects=False,
        raise_server_exceptions=False,
    )


def go_there(here: httpx.Client, goal: str = "/") -> str:
    """From the hub to the issuer and back; returns the address that the hub is asked for."""
    sent = here.get("/login/issuer", params={"next": goal})
    assert sent.status_code == 303, sent.text
    back = httpx.get(sent.headers["location"])
    return back.headers["location"].removeprefix(HERE)


def sign_in(here: httpx.Client, goal: str = "/") -> httpx.Response:
    return here.get(go_there(here, goal))


def refused(answer: httpx.Response) -> str:
    """The word with which a sign-in was refused; empty where it was not."""
    assert answer.status_code == 303, answer.text
    there = urlsplit(answer.headers["location"])
    assert (there.scheme, there.netloc) == ("", "")
    return parse_qs(there.query).get("refused", [""])[0]


def me(here: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = ok(here.get(f"{API}/users/me")).json()
    return found


def audit(hall: Hall) -> list[tuple[str, str, str, dict[str, object]]]:
    """Of users, without the first admin."""
    entries = [entry for entry in hall.get("/audit") if entry["action"].startswith("user.")]
    return [(e["action"], e["actor"], e["subject"], e["details"]) for e in entries][1:]


def test_who_signs_in_becomes_a_user_and_goes_on_to_where_they_were(
    hall: Hall, issuer: RunningIssuer
) -> None:
    issuer.says(hall.clock().timestamp(), **ADA)
    here = browser(hall)
    answer = sign_in(here, "/campaigns/c-1")
    assert answer.headers["location"] == "/campaigns/c-1"
    user = me(here)
    assert (user["name"], user["role"], user["organisation"]) == ("ada", "operator", "guild")
    assert (user["issuer"], user["expires_at"]) == (issuer.name, None)
    assert hall.get("/users/ada/tokens") == []
    details = {"role": "operator", "organisation": "guild", "issuer": issuer.name}
    assert audit(hall) == [("user.created", "user:ada", "ada", details)]


def test_the_session_s_cookie_is_for_this_hub_and_no_script(hall: Hall, issuer: RunningIssuer) -> None:
    issuer.says(hall.clock().timestamp(), **ADA)
    cookies = sign_in(browser(hall)).headers.get_list("set-cookie")
    (session,) = [each for each in cookies if each.startswith("zunft-session=")]
    flags = {part.strip().lower() for part in session.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert "secure" not in flags  # a browser would not send it back over plain HTTP on this machine


def test_over_tls_the_cookie_is_secure(settings: Settings, issuer: RunningIssuer, clock: Hands) -> None:
    hall = hall_with(settings, issuer, clock, public_url="https://hub.example")
    sent = browser(hall).get("/login/issuer")
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    assert query["redirect_uri"] == ["https://hub.example/login/callback"]
    assert sent.headers["set-cookie"].startswith("__Host-zunft-attempt=")
    assert "secure" in sent.headers["set-cookie"].lower()
    hall.close()


def test_nobody_signs_in_over_a_line_that_others_read(hall: Hall) -> None:
    here = TestClient(hall.app, base_url="http://hub.example", follow_redirects=False)
    assert refused(here.get("/login/issuer")) == "insecure_line"


def test_role_and_organisation_follow_the_issuer_and_the_name_does_not(
    hall: Hall, issuer: RunningIssuer
) -> None:
    now = hall.clock().timestamp()
    hall.organisation("North Works")
    issuer.says(now, **ADA)
    sign_in(browser(hall))
    issuer.says(now, **{**ADA, "groups": ["students", "north"], "preferred_username": "ada.l"})
    here = browser(hall)
    sign_in(here)
    assert (me(here)["name"], me(here)["role"]) == ("ada", "researcher")
    assert audit(hall)[-1] == (
        "user.changed",
        "user:ada",
        "ada",
        {"role": "researcher", "organisation": "North Works", "issuer": issuer.name},
    )
    sign_in(browser(hall))
    assert len(audit(hall)) == 2


@pytest.mark.parametrize("lie", LIES_OF_TOKENS)
def test_a_lie_lets_nobody_in(wary: Hall, issuer: RunningIssuer, lie: str) -> None:
    issuer.says(wary.clock().timestamp(), lie=lie, **ADA)
    here = browser(wary)
    back = go_there(here)
    with capture_logs() as log:
        assert refused(here.get(back)) == "bad_sign_in"
    (line,) = [line for line in log if line["event"] == "sign_in.refused"]
    assert line["code"] == "bad_sign_in"
    assert LIES_OF_TOKENS[lie] in line["reason"]
    assert SECRET not in str(log)
    wary.error(here.get(f"{API}/users/me"), 401)
    assert [user["name"] for user in wary.get("/users")] == ["admin"]


@pytest.mark.parametrize("lie", LIES_OF_DOCUMENTS)
def test_an_issuer_that_does_not_answer_as_one_is_unavailable(
    wary: Hall, issuer: RunningIssuer, lie: str
) -> None:
    wary.clock.advance(3600)  # so that it is asked for its document
    issuer.says(wary.clock().timestamp(), lie=lie)
    assert refused(browser(wary).get("/login/issuer")) == "issuer_unavailable"
    issuer.says(wary.clock().timestamp(), **ADA)
    assert refused(sign_in(browser(wary))) == ""


def test_an_issuer_that_is_not_there_is_unavailable(settings: Settings, clock: Hands) -> None:
    hall = hall_with(settings, RunningIssuer("http://127.0.0.1:9/realms/guild"), clock)
    assert refused(browser(hall).get("/login/issuer")) == "issuer_unavailable"
    hall.close()


def test_a_code_is_for_the_browser_that_asked_for_it(hall: Hall, issuer: RunningIssuer) -> None:
    issuer.says(hall.clock().timestamp(), **ADA)
    victim, attacker = browser(hall), browser(hall)
    assert refused(victim.get(go_there(attacker))) == "bad_sign_in"
    go_there(victim)
    assert refused(victim.get(go_there(attacker))) == "bad_sign_in"


def test_a_callback_works_once(hall: Hall, issuer: RunningIssuer) -> None:
    issuer.says(hall.clock().timestamp(), lie="codes work twice", **ADA)
    here = browser(hall)
    back = go_there(here)
    assert refused(here.get(back)) == ""
    assert refused(here.get(back)) == "bad_sign_in"


def test_a_code_that_was_used_is_refused_by_an_honest_issuer(hall: Hall, issuer: RunningIssuer) -> None:
    issuer.says(hall.clock().timestamp(), **ADA)
    here = browser(hall)
    back, attempt = go_there(here), here.cookies["zunft-attempt"]
    assert refused(here.get(back)) == ""
    here.cookies.set("zunft-attempt", attempt)
    assert refused(here.get(back)) == "bad_sign_in"


def test_a_new_key_of_the_issuer_is_fetched_and_the_others_are_kept(
    hall: Hall, issuer: RunningIssuer
) -> None:
    now = hall.clock().timestamp()
    issuer.says(now, **ADA)
    sign_in(browser(hall))
    before = issuer.count("keys"), issuer.count("discovery")
    sign_in(browser(hall))
    assert (issuer.count("keys"), issuer.count("discovery")) == before
    issuer.says(now, lie="new key", **ADA)
    assert refused(sign_in(browser(hall))) == ""
    assert issuer.count("keys") == before[0] + 1
    hall.clock.advance(3600)
    issuer.says(hall.clock().timestamp(), **ADA)
    assert refused(sign_in(browser(hall))) == ""
    assert issuer.count("discovery") == before[1] + 1


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"groups": ["cooks"]}, "not_invited"),
        ({"groups": None}, "not_invited"),
        ({"preferred_username": "admin"}, "unusable_claims"),
        ({"preferred_username": ""}, "unusable_claims"),
        ({"preferred_username": "<b>ada</b>"}, "unusable_claims"),
        ({"sub": "x" * 256}, "unusable_claims"),
        ({"preferred_username": "maria"}, "name_taken"),
        ({"groups": ["welders", "north"]}, "unknown_organisation"),
    ],
)
def test_who_may_not_come_in_is_told_so(
    hall: Hall, issuer: RunningIssuer, claims: dict[str, Any], word: str
) -> None:
    ok(hall.post("/users", {"name": "maria", "role": "researcher"}))
    issuer.says(hall.clock().timestamp(), **{**ADA, **claims})
    here = browser(hall)
    assert refused(sign_in(here)) == word
    hall.error(here.get(f"{API}/users/me"), 401)
    assert [user["name"] for user in hall.get("/users")] == ["admin", "maria"]


def test_an_organisation_that_is_not_there_is_not_made_and_changes_nobody(
    hall: Hall, issuer: RunningIssuer
) -> None:
    now = hall.clock().timestamp()
    issuer.says(now, **ADA)
    before = browser(hall)
    sign_in(before)
    issuer.says(now, **{**ADA, "groups": ["owners", "north"]})
    assert refused(sign_in(browser(hall))) == "unknown_organisation"
    assert (me(before)["role"], me(before)["organisation"]) == ("operator", "guild")
    assert [each["name"] for each in hall.get("/organisations")] == ["guild"]
    hall.organisation("North Works")
    assert refused(sign_in(browser(hall))) == ""
    assert (me(before)["role"], me(before)["organisation"]) == ("admin", "North Works")


def test_who_comes_from_an_issuer_acts_in_their_own_organisation_alone(
    hall: Hall, issuer: RunningIssuer
) -> None:
    hall.organisation("North Works")
    ok(hall.publish(tiny_skill(name="of-guild")))
    ok(hall.publish(tiny_skill(name="inside"), visibility="organisation"))
    issuer.says(hall.clock().timestamp(), **{**ADA, "groups": ["welders", "north"]})
    here = browser(hall)
    sign_in(here)
    assert [skill["name"] for skill in ok(here.get(f"{API}/skills")).json()["items"]] == ["of-guild"]
    hall.error(here.get(f"{API}/skills/inside"), 404)
    assert hall.error(here.post(f"{API}/campaigns", json={"skill": "of-guild"}), 403)["code"] == "not_yours"
    ok(here.post(f"{API}/skills", content=tiny_skill(name="ours").to_bytes()))
    ok(here.post(f"{API}/campaigns", json={"skill": "ours"}))
    assert hall.get("/skills/ours")["organisation"] == "North Works"


def test_a_revoked_user_is_signed_out_and_comes_back_as_the_issuer_says(
    hall: Hall, issuer: RunningIssuer
) -> None:
    issuer.says(hall.clock().timestamp(), **{**ADA, "groups": ["owners"]})
    here = browser(hall)
    sign_in(here)
    assert me(here)["role"] == "admin"
    ok(hall.client.delete(f"{API}/users/ada", headers=hall.operator))
    hall.error(here.get(f"{API}/users/me"), 401)
    sign_in(here)
    assert me(here)["name"] == "ada"


def test_the_hub_keeps_an_admin_with_a_token_beside_those_of_the_issuer(
    hall: Hall, issuer: RunningIssuer
) -> None:
    issuer.says(hall.clock().timestamp(), **{**ADA, "groups": ["owners"]})
    sign_in(browser(hall))
    ok(hall.post("/users/ada/tokens", {"name": "spare"}))
    hall.error(hall.client.delete(f"{API}/users/me/tokens/first", headers=hall.operator), 409)
    assert (
        "last admin"
        in hall.error(hall.client.delete(f"{API}/users/admin", headers=hall.operator), 409)["message"]
    )
    ok(hall.client.delete(f"{API}/users/ada", headers=hall.operator))


def test_a_hub_without_an_issuer_says_so(settings: Settings, clock: Hands) -> None:
    hall = Hall(settings, StubGate(), clock)
    for path in ("/login/issuer", "/login/callback"):
        assert "ZUNFT_OIDC_ISSUER" in hall.error(hall.client.get(path), 404)["remedy"]
    hall.close()


@pytest.mark.parametrize(
    "goal", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:x", ""]
)
def test_nobody_is_sent_to_another_site_after_signing_in(
    hall: Hall, issuer: RunningIssuer, goal: str
) -> None:
    issuer.says(hall.clock().timestamp(), **ADA)
    assert sign_in(browser(hall), goal).headers["location"] == "/"


def test_an_attempt_s_three_values_tell_nothing_of_each_other() -> None:
    one, two = Attempt(), Attempt()
    values = {one.state, one.nonce, one.verifier, two.state, two.nonce, two.verifier, one.secret, two.secret}
    assert len(values) == 8
    assert len(one.verifier) == 43  # RFC 7636 wants 43 to 128 characters
    assert one.secret not in repr(one)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"oidc_client_id": ""}, "oidc_client_id"),
        ({"oidc_issuer": "http://login.example"}, "https"),
        ({"oidc_issuer": "login.example"}, "https"),
        ({"oidc_scopes": "profile"}, "openid"),
        ({"oidc_roles": {}}, "everybody would be refused"),
        ({"oidc_roles": {"welders": "robot"}}, "researcher"),
        ({"public_url": "https://hub.example/console"}, "pattern"),
    ],
)
def test_settings_that_let_nobody_or_everybody_in_are_refused(changes: dict[str, Any], words: str) -> None:
    given = {"oidc_issuer": "https://login.example", "oidc_client_id": "zunft", "oidc_roles": {"a": "admin"}}
    Settings.model_validate(given)
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({**given, **changes})


def test_the_admin_s_token_still_opens_the_hub(hall: Hall) -> None:
    headers = {"Authorization": f"Bearer {ADMIN}"}
    assert ok(hall.client.get(f"{API}/users/me", headers=headers)).json()["issuer"] == ""
