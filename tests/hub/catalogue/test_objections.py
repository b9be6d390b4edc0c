from __future__ import annotations

from typing import Any

import pytest

from hub.storage.tables.skills import VersionRow
from skills.messages.base import API
from tests.hub.conftest import Hall, ok, tiny_skill

STABLE = f"{API}/skills/reach/channels/stable"
WHY = "The old one scratches the paint."


@pytest.fixture
def two(hall: Hall) -> Hall:
    """v1 is stable with 90 %; v2 was rejected with 0 %; v3 was never measured, and will do worse."""
    hall.gate.scores.update({1: 0.9, 3: 0.1})
    for number in (1, 2):
        ok(hall.publish(tiny_skill(version=number, seed=number)))
    move(hall, 1)
    wait_for(hall)
    ok(hall.publish(tiny_skill(version=3, seed=3)))
    none = {"score": 0.0, "low": 0.0, "high": 0.01, "episodes": 300}
    with hall.services.storage.database.write() as session:
        row = session.get_one(VersionRow, ("reach", 2))
        row.score = none
        row.gate = {"passed": False, "reason": "It is worse.", "candidate": none, "seconds": 1}
    assert stable(hall) == 1
    return hall


def move(hall: Hall, number: int, **more: str) -> Any:
    return hall.client.put(STABLE, json={"version": number, **more}, headers=hall.operator)


def wait_for(hall: Hall) -> None:
    while hall.services.catalogue.releaser.step():
        pass


def stable(hall: Hall) -> int:
    found: int = hall.get("/skills/reach")["stable"]["version"]
    return found


def test_a_rejected_version_becomes_stable_only_with_a_reason(two: Hall) -> None:
    refused = two.error(move(two, 2), 409)
    assert refused["code"] == "needs_reason"
    assert refused["message"] == "the gate rejected v2. It is worse."
    assert stable(two) == 1
    two.error(move(two, 2, reason="  "), 409)
    ok(move(two, 2, reason=WHY))
    wait_for(two)
    assert stable(two) == 2


def test_a_version_that_scored_less_becomes_stable_only_with_a_reason(two: Hall) -> None:
    ok(move(two, 2, reason=WHY))
    wait_for(two)
    ok(move(two, 1))  # better than what is stable: no word is needed
    wait_for(two)
    assert stable(two) == 1


def test_what_turns_out_worse_when_it_is_measured_does_not_slip_through(two: Hall) -> None:
    release = ok(move(two, 3)).json()
    wait_for(two)
    found = two.get(f"/skills/reach/releases/{release['release_id']}")
    assert found["state"] == "refused"
    assert "10.0% of its jobs" in found["reason"]
    assert stable(two) == 1
    two.error(move(two, 3), 409)
    ok(move(two, 3, reason=WHY))
    wait_for(two)
    assert stable(two) == 3
