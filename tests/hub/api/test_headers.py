from __future__ import annotations

from pathlib import Path

import pytest

from hub.catalogue.releases import Releases
from hub.settings import Settings
from skills.messages.base import API
from tests.hub.conftest import Collecting, Hall, Hands, StubGate, ok
from tests.hub.console.test_console import hub_with_pages

ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", f"{API}/skills", 200),
        ("GET", f"{API}/campaigns", 401),
        ("GET", f"{API}/skills/none", 404),
        ("DELETE", f"{API}/skills", 405),
        ("GET", "/nowhere", 404),
        ("POST", f"{API}/robots", 422),
        ("GET", "/openapi.json", 200),
    ],
)
def test_every_answer_may_do_nothing_in_a_browser(hall: Hall, method: str, path: str, status: int) -> None:
    answer = hall.client.request(method, path)
    assert answer.status_code == status
    assert ALWAYS.items() <= answer.headers.items()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "camera=()" in answer.headers["permissions-policy"]


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("the hub broke")


def test_answers_that_no_route_gave_have_them_too(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    too_large = hall.client.post(f"{API}/robots", content=b" " * 70_000)
    assert too_large.status_code == 413
    assert ALWAYS.items() <= too_large.headers.items()
    monkeypatch.setattr(Releases, "move", broken)
    move = {"version": 2}
    failed = hall.client.put(f"{API}/skills/reach/channels/stable", json=move, headers=hall.operator)
    assert failed.status_code == 500
    assert ALWAYS.items() <= failed.headers.items()


def test_what_needs_a_login_is_stored_nowhere(collecting: Collecting) -> None:
    hall = collecting.hall
    file = f"{API}/skills/reach/versions/1/file"
    answers = [
        hall.client.get(f"{API}/campaigns", headers=hall.operator),
        hall.client.get(f"{API}/campaigns"),
        hall.client.get(file, headers=hall.operator),
        collecting.robots[0].request("GET", "/robots/me"),
        hall.client.get(f"{API}/skills", headers=hall.operator),
        hall.post("/enrolment-tokens", {}),
        hall.post("/users", {"name": "maria", "role": "operator"}),
    ]
    assert [answer.headers["cache-control"] for answer in answers] == ["no-store"] * len(answers)
    assert ok(hall.client.get(file)).headers["cache-control"] == "no-cache"


def test_in_a_closed_catalogue_nothing_is_stored(settings: Settings, clock: Hands) -> None:
    hall = Hall(settings.model_copy(update={"public_catalogue": False}), StubGate(), clock)
    assert hall.client.get(f"{API}/skills").headers["cache-control"] == "no-store"
    hall.close()


def test_pages_may_load_from_this_hub_only(tmp_path: Path) -> None:
    with hub_with_pages(tmp_path, "reach") as client:
        for path in ("/", "/skills/reach", "/skills/unknown"):
            policy = client.get(path).headers["content-security-policy"]
            assert "http" not in policy
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'self'" in policy
