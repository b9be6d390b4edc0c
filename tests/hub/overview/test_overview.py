from __future__ import annotations

from typing import Any

import pytest

from hub.storage.record import record
from skills.messages.base import API
from tests.hub.conftest import Collecting, Hall, ok, tiny_skill


def overview(hall: Hall, headers: dict[str, str] | None = None) -> Any:
    return ok(hall.client.get(f"{API}/overview", headers=headers or hall.operator)).json()


def happened(hall: Hall, kind: str, **data: Any) -> None:
    with hall.services.storage.database.write() as session:
        record(session, kind, hall.clock(), **data)


def needs(hall: Hall, headers: dict[str, str] | None = None) -> list[tuple[str, str]]:
    return [(each["kind"], each["about"]) for each in overview(hall, headers)["needs"]]


def test_an_empty_hub_has_begun_nothing_and_needs_nobody(hall: Hall) -> None:
    found = overview(hall)
    assert found["begun"] == {"skill": False, "robots": False, "campaign": False}
    assert (found["campaigns"], found["needs"]) == ([], [])


def test_what_runs_and_who_is_there(collecting: Collecting) -> None:
    found = overview(collecting.hall)
    assert [each["campaign_id"] for each in found["campaigns"]] == [collecting.campaign_id]
    assert found["robots"]["robots"] == 2
    assert found["begun"] == {"skill": True, "robots": True, "campaign": True}
    kinds = [each["kind"] for each in found["events"]]
    assert "campaign.started" in kinds
    assert "version.added" not in kinds


@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [
        ("round.rejected", "round.published", "candidate_rejected"),
        ("round.rejected", "version.published", "candidate_rejected"),
        ("release.refused", "version.published", "release_refused"),
        ("campaign.failed", "campaign.started", "campaign_failed"),
    ],
)
def test_trouble_is_a_need_until_it_is_put_right(hall: Hall, bad: str, good: str, kind: str) -> None:
    ok(hall.publish(tiny_skill()))
    happened(hall, good, skill="reach")
    happened(hall, bad, skill="reach", reason="first")
    happened(hall, bad, skill="reach", reason="again")
    assert needs(hall) == [(kind, "reach")]
    assert overview(hall)["needs"][0]["reason"] == "again"
    happened(hall, good, skill="reach")
    assert needs(hall) == []


def test_a_refused_task_is_its_own_organisation_s_need(hall: Hall) -> None:
    happened(hall, "task.refused", organisation="guild", task="small")
    assert needs(hall) == [("task_refused", "small")]
    hall.organisation("South")
    assert needs(hall, hall.user("sue", "operator", "South")) == []


def test_others_see_no_needs_of_a_skill_that_is_not_theirs(hall: Hall) -> None:
    ok(hall.publish(tiny_skill(), visibility="guild"))
    happened(hall, "round.rejected", skill="reach")
    hall.organisation("South")
    assert needs(hall, hall.user("sue", "operator", "South")) == []
    researcher = overview(hall, hall.user("rita", "researcher"))
    assert (researcher["needs"], researcher["robots"]) == ([], None)


def test_a_quota_that_is_nearly_used_up_is_a_need(hall: Hall) -> None:
    hall.organisation("North", quotas={"robots": 10})
    north = hall.user("nora", "operator", "North")
    for number in range(8):
        hall.enrol(f"arm {number}", organisation="North")
    assert needs(hall, north) == []
    hall.enrol("arm 8", organisation="North")
    assert needs(hall, north) == [("quota", "North")]


def test_nothing_of_a_hidden_skill_is_seen_by_others(collecting: Collecting) -> None:
    hall = collecting.hall
    ok(
        hall.client.put(
            f"{API}/skills/reach/visibility", json={"visibility": "private"}, headers=hall.operator
        )
    )
    happened(hall, "round.rejected", skill="reach")
    hall.organisation("South")
    for headers in ({}, hall.user("sue", "operator", "South")):
        assert "reach" not in ok(hall.client.get(f"{API}/overview", headers=headers)).text
    assert "reach" in ok(hall.client.get(f"{API}/overview", headers=hall.operator)).text


def test_roll_outs_are_under_way_until_they_end_and_halted_ones_need_a_person(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    ok(hall.publish(tiny_skill(version=2, seed=1)))
    hall.release(2, reason="to have been measured")
    hall.release(1, reason="back")
    rollout = ok(hall.post("/rollouts", {"skill": "reach", "version": 2})).json()["rollout_id"]
    hall.services.rollouts.engine.run_once()
    hall.organisation("South")
    south = hall.user("sue", "operator", "South")
    for order, kinds in (("pause", ["rollout_paused"]), ("resume", []), ("abort", [])):
        ok(hall.post(f"/rollouts/{rollout}/orders", {"order": order, "reason": "why"}))
        found = overview(hall)
        told = [each for each in found["needs"] if each["kind"].startswith("rollout")]
        assert [each["kind"] for each in told] == kinds
        assert [each["rollout"] for each in told] == [rollout] * len(told)
        assert len(found["rollouts"]) == (order != "abort")
    assert needs(hall, south) == []
    happened(hall, "rollout.stopped", skill="reach", rollout_id=rollout, reason="It fails.")
    assert ("rollout_stopped", "reach") in needs(hall)
    happened(hall, "rollout.started", skill="reach", rollout_id="o-1")
    assert ("rollout_stopped", "reach") not in needs(hall)
