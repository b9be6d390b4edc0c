"""Tokens that are still good: who sees them, and what is left of one that was taken back."""

from __future__ import annotations

from typing import Any

from skills.messages.base import API
from skills.signing import SigningKey
from tests.hub.conftest import Hall, Hands, Headers, ok


def made(hall: Hall, by: Headers | None = None, **asked: object) -> list[str]:
    answer = hall.client.post(f"{API}/enrolment-tokens", json=asked, headers=by or hall.operator)
    return [each["token"] for each in ok(answer).json()]


def left(hall: Hall, by: Headers | None = None) -> list[Any]:
    found = ok(hall.client.get(f"{API}/enrolment-tokens", headers=by or hall.operator)).json()
    return list(found["items"])


def join(hall: Hall, token: str) -> int:
    public = SigningKey.generate().public.text
    request = {"token": token, "name": "arm", "embodiment": "ur5e", "public_key": public}
    return hall.client.post(f"{API}/robots", json=request).status_code


def test_those_are_told_that_are_neither_used_nor_over(hall: Hall, clock: Hands) -> None:
    olga = hall.user("olga", "operator")
    first, second = made(hall, olga, count=2, valid_seconds=3600)
    made(hall, olga, valid_seconds=60)
    found = left(hall)
    assert [each["issued_by"] for each in found] == ["user:olga"] * 3
    assert found[0]["expires_at"] < found[1]["expires_at"]
    assert not any(token in str(found) for token in (first, second))
    assert join(hall, first) == 201
    assert len(left(hall)) == 2
    clock.advance(100)
    assert len(left(hall)) == 1
    clock.advance(3600)
    assert left(hall) == []


def test_a_revoked_token_lets_nobody_in_and_the_audit_log_says_who(hall: Hall) -> None:
    (token,) = made(hall)
    (name,) = (each["token_id"] for each in left(hall))
    address = f"{API}/enrolment-tokens/{name}"
    for wrong in (name[:8], "%", "f" * 16, ""):
        assert hall.client.delete(f"{API}/enrolment-tokens/{wrong}", headers=hall.operator).status_code >= 404
    assert hall.client.delete(address, headers=hall.operator).status_code == 204
    assert join(hall, token) == 401
    assert left(hall) == []
    hall.error(hall.client.delete(address, headers=hall.operator), 404)
    assert hall.get("/audit")[-1]["action"] == "tokens.revoked"


def test_a_token_that_was_used_cannot_be_taken_back(hall: Hall) -> None:
    (token,) = made(hall)
    (name,) = (each["token_id"] for each in left(hall))
    assert join(hall, token) == 201
    hall.error(hall.client.delete(f"{API}/enrolment-tokens/{name}", headers=hall.operator), 404)


def test_nobody_sees_or_revokes_another_organisation_s(hall: Hall) -> None:
    hall.organisation("South")
    sue = hall.user("sue", "operator", "South")
    made(hall)
    made(hall, sue)
    assert [each["organisation"] for each in left(hall, sue)] == ["South"]
    assert len(left(hall)) == 2
    (ours,) = (each["token_id"] for each in left(hall) if each["organisation"] == "guild")
    hall.error(hall.client.delete(f"{API}/enrolment-tokens/{ours}", headers=sue), 404)
    rita = hall.user("rita", "researcher")
    hall.error(hall.client.get(f"{API}/enrolment-tokens", headers=rita), 403)


def test_a_line_is_drawn_for_a_camera(hall: Hall) -> None:
    said = {"text": "zunft robot join --token ze_1 --name <arm>"}
    answer = ok(hall.post("/qr-codes", said))
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.content.startswith(b"<?xml")
    assert b"arm" not in answer.content
    assert answer.content == ok(hall.post("/qr-codes", said)).content
    assert answer.content != ok(hall.post("/qr-codes", {"text": "another line"})).content
    hall.error(hall.post("/qr-codes", {"text": "x" * 1001}), 422)
