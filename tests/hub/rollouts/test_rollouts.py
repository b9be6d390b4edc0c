"""Roll-outs on a whole hub: rings open one after the other, and what fails goes back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.settings import Settings
from skills.rings import Member, RolloutNote, mark_of, ring_of
from skills.targets import channel_target
from tests.hub.conftest import Hall, Hands, StubGate, ok, tiny_skill
from tests.hub.rollouts.halls import (
    RING,
    fare,
    fleet_of,
    kinds,
    order,
    start,
    turn,
    two_versions,
    view,
)
from tests.hub.tuf.test_repository import targets


@pytest.fixture
def hall(settings: Settings, clock: Hands) -> Iterator[Hall]:
    found = Hall(settings, StubGate(), clock)
    two_versions(found)
    yield found
    found.close()


def pointer(hall: Hall, name: str) -> dict[str, Any]:
    found: dict[str, Any] = targets(hall)[channel_target("reach", name)].custom
    return found


def stable(hall: Hall) -> int:
    return hall.version("stable").version


def in_ring(hall: Hall, robots: list[Any], place: int) -> list[Any]:
    """Those of these robots that are in a ring, as the signed metadata say."""
    note = RolloutNote.model_validate(targets(hall)[channel_target("reach", "rollout")].custom)
    arms = {each["robot_id"]: each["embodiment"] for each in hall.get("/robots")}
    return [
        each
        for each in robots
        if place
        == ring_of(
            note.rings,
            note.rollout,
            Member(robot_id=each.robot_id, organisation="guild", embodiment=arms[each.robot_id]),
        )
    ]


def test_a_good_version_goes_from_ring_to_ring_and_becomes_stable(hall: Hall, clock: Hands) -> None:
    robots = fleet_of(hall, 10)
    rollout = start(hall, [{"share": 0.2}, {"share": 0.5, "approval": True}, {}])
    turn(hall)
    assert hall.gate.asked[-1] == (2, None), "the gate has seen it before any robot has"
    assert [pointer(hall, f"ring-{n}")["version"] for n in range(3)] == [2, 1, 1]
    assert [each.robots for each in view(hall, rollout).rings] == [2, 3, 5]
    for place, state in ((0, "open"), (1, "waiting")):
        for robot in in_ring(hall, robots, place):
            fare(robot, "1111", "1111")
        turn(hall)
        assert view(hall, rollout).ring == place + 1, "not before its time"
        clock.advance(61)
        turn(hall)
        assert (view(hall, rollout).state, stable(hall)) == (state, 1)
    ok(order(hall, rollout, "approve"))
    for robot in in_ring(hall, robots, 2):
        fare(robot, "1111", "1111")
    clock.advance(61)
    turn(hall)
    found = view(hall, rollout)
    assert (found.state, found.ring, stable(hall)) == ("done", 3, 2)
    assert [each.event for each in found.steps] == ["measured", "passed", "held", "approved", "finished"]
    assert [each.version for each in found.rings] == [2, 2, 2]
    assert channel_target("reach", "rollout") not in targets(hall)
    assert kinds(hall) == [
        "rollout.started",
        "rollout.widened",
        "rollout.widened",
        "rollout.waiting",
        "rollout.widened",
        "rollout.done",
    ]


def test_a_version_that_fails_is_stopped_and_signed_away(hall: Hall, clock: Hands) -> None:
    robots = fleet_of(hall, 20)
    rollout = start(hall, [{"share": 0.1}, {}])
    turn(hall)
    few = in_ring(hall, robots, 0)
    assert len(few) == 2
    before = pointer(hall, "ring-0")["counter"]
    clock.advance(3600)
    for robot in few:
        fare(robot, "1" * 30, "0" * 30)
    turn(hall)
    found = view(hall, rollout)
    assert (found.state, stable(hall)) == ("stopped", 1)
    assert "v2 fails where v1 does not" in found.reason
    assert found.steps[-1].known["losses"] == 60
    now = pointer(hall, "stable")
    assert (now["version"], now["stopped"], now["counter"] > before) == (1, [2], True)
    hall.error(order(hall, rollout, "resume"), 409)
    metrics = hall.client.get("/metrics", headers=hall.operator).text
    assert "zunft_prevented_incidents_total 1.0" in metrics
    assert 'zunft_rollouts{state="stopped"} 1.0' in metrics


def test_pause_resume_and_abort_with_a_reason(hall: Hall, clock: Hands) -> None:
    robots = fleet_of(hall, 2)
    rollout = start(hall)
    turn(hall)
    ok(order(hall, rollout, "pause"))
    for robot in robots:
        fare(robot, "1111", "1111")
    clock.advance(61)
    turn(hall)
    assert (view(hall, rollout).state, pointer(hall, "ring-0")["version"]) == ("paused", 2)
    ok(order(hall, rollout, "resume"))
    turn(hall)
    assert (view(hall, rollout).state, stable(hall)) == ("done", 2)
    hall.error(order(hall, rollout, "abort", reason=""), 422)
    high = pointer(hall, "stable")["counter"]
    ok(order(hall, rollout, "abort", reason="seams are too wide"))
    found = view(hall, rollout)
    assert (found.state, found.reason, stable(hall)) == ("aborted", "seams are too wide", 1)
    assert pointer(hall, "stable")["stopped"] == [2]
    assert pointer(hall, "stable")["counter"] > high
    actions = [each["action"] for each in hall.get("/audit") if each["action"].startswith("rollout")]
    assert actions == ["rollout.started", "rollout.paused", "rollout.resumed", "rollout.aborted"]


def test_a_paused_one_is_stopped_all_the_same(hall: Hall) -> None:
    robots = fleet_of(hall, 2)
    rollout = start(hall)
    turn(hall)
    ok(order(hall, rollout, "pause"))
    for robot in robots:
        fare(robot, "1" * 30, "0" * 30)
    turn(hall)
    assert view(hall, rollout).state == "stopped"


def test_a_ring_without_robots_passes_by_time_alone(hall: Hall, clock: Hands) -> None:
    fleet_of(hall, 2)
    rollout = start(hall, [{"embodiments": ["kr10"]}, {}])
    turn(hall)
    clock.advance(61)
    turn(hall)
    assert (view(hall, rollout).ring, view(hall, rollout).state) == (2, "open")


def test_rings_by_tag_name_organisation_and_embodiment(hall: Hall) -> None:
    hall.organisation("North")
    robots = fleet_of(hall, 4, ["ur5e", "panda"])
    away = hall.enrol("away", "ur5e", "North")
    away.assignment()
    body = {"tags": ["test-cell"]}
    path = f"/api/v1/robots/{robots[3].robot_id}/tags"
    assert ok(hall.client.put(path, json=body, headers=hall.operator)).json() == body
    rings = [
        {"robots": [robots[0].robot_id]},
        {"tags": ["test-cell"]},
        {"organisations": ["North"]},
        {"embodiments": ["panda"]},
        {},
    ]
    rollout = start(hall, rings)
    turn(hall)
    assert in_ring(hall, robots, 0) == [robots[0]]
    assert in_ring(hall, robots, 1) == [robots[3]]
    assert in_ring(hall, robots, 3) == [robots[1]]
    assert [each.robots for each in view(hall, rollout).rings] == [1, 1, 1, 1, 1]
    signed = str(targets(hall)[channel_target("reach", "rollout")].custom)
    assert robots[0].robot_id not in signed
    assert "North" not in signed
    assert mark_of(rollout, "North") in signed


def test_a_share_is_never_exceeded_and_who_joins_later_is_in_no_ring(hall: Hall, clock: Hands) -> None:
    robots = fleet_of(hall, 30)
    rollout = start(hall, [{"share": 0.1}, {}])
    turn(hall)
    assert len(in_ring(hall, robots, 0)) == 3
    clock.advance(1)
    late = fleet_of(hall, 20)
    for robot in late:
        fare(robot, "1", "1")
    assert [each.robots for each in view(hall, rollout).rings] == [3, 27]
    assert view(hall, rollout).rings[0].using == 0
    wanted = {each["robot_id"]: each["wanted"] for each in hall.get("/fleet?skill=reach")}
    assert {wanted[each.robot_id] for each in late} == {1}


def test_what_cannot_be_started(hall: Hall) -> None:
    ring = [RING]
    for version, status in ((1, 409), (7, 404)):
        request = {"skill": "reach", "version": version, "rings": ring}
        hall.error(hall.post("/rollouts", request), status)
    hall.error(hall.post("/rollouts", {"skill": "reach", "version": 2, "rings": []}), 422)
    named = {"skill": "reach", "version": 2, "rings": [{"robots": ["r-nobody"]}]}
    hall.error(hall.post("/rollouts", named), 404)
    start(hall)
    assert "under way" in hall.error(hall.post("/rollouts", {"skill": "reach", "version": 2}), 409)["message"]


def test_a_version_that_the_gate_finds_unfit_reaches_nobody(hall: Hall) -> None:
    hall.gate.error = ValueError("the simulator fell over")
    rollout = start(hall)
    turn(hall)
    found = view(hall, rollout)
    assert (found.state, [each.opened_at for each in found.rings]) == ("stopped", [None])
    assert channel_target("reach", "ring-0") not in targets(hall)


def test_a_release_to_everybody_ends_it(hall: Hall) -> None:
    first = start(hall)
    turn(hall)
    hall.release(2)
    turn(hall)
    assert view(hall, first).state == "done"
    ok(hall.publish(tiny_skill(version=3, seed=3)))
    second = start(hall, version=3)
    turn(hall)
    hall.release(1)
    turn(hall)
    assert view(hall, second).state == "aborted"
    assert stable(hall) == 1


def test_the_list_is_paged_and_filtered(hall: Hall) -> None:
    first = start(hall)
    ok(order(hall, first, "abort"))
    hall.clock.advance(1)
    second = start(hall)
    assert [each["rollout_id"] for each in hall.get("/rollouts?limit=1")] == [second, first]
    assert [each["rollout_id"] for each in hall.get("/rollouts?state=aborted")] == [first]
    assert hall.get("/rollouts?skill=other") == []


def test_on_embedded_and_on_real_parts_alike(on_both: Settings, clock: Hands) -> None:
    hall = Hall(on_both, StubGate(), clock)
    two_versions(hall)
    robots = fleet_of(hall, 4)
    good = start(hall, [{"share": 0.5}, {}])
    turn(hall)
    for place in (0, 1):
        for robot in in_ring(hall, robots, place):
            fare(robot, "1111", "1111")
        clock.advance(61)
        turn(hall)
    assert (view(hall, good).state, stable(hall)) == ("done", 2)
    ok(order(hall, good, "abort"))
    assert stable(hall) == 1
    bad = start(hall)
    turn(hall)
    for robot in robots:
        fare(robot, "1" * 30, "0" * 30)
    turn(hall)
    assert view(hall, bad).state == "stopped"
    assert len(hall.get("/fleet?skill=reach&refused=true")) == 0
    hall.close()
