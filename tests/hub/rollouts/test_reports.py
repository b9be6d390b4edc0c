"""What robots say of themselves: kept once, bounded, checked, and shown to their operators as claims."""

from __future__ import annotations

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from skills.messages.base import API
from skills.messages.reports import Adoption, FleetRobot, Report, Use
from tests.hub.conftest import Hall, ok
from tests.hub.rollouts.halls import RING, fare, fleet_of, order, say, start, tally, turn, two_versions, view


def fleet(hall: Hall, query: str = "") -> dict[str, FleetRobot]:
    shown = [FleetRobot.model_validate(each) for each in hall.get(f"/fleet?skill=reach{query}")]
    return {each.robot_id: each for each in shown}


def test_a_report_is_kept_and_shown_with_what_is_wanted(hall: Hall) -> None:
    two_versions(hall)
    ada, bela = fleet_of(hall, 2, ["ur5e", "panda"])
    report = Report(skill="reach", version=2, busy=True, tallies=(tally(2, "1101"),), guards={"fresh": 2})
    ok(say(ada, report))
    found = fleet(hall)[ada.robot_id]
    assert found.report == report
    assert (found.wanted, found.drifts, found.success) == (1, True, 0.75)
    other = fleet(hall)[bela.robot_id]
    assert (other.report, other.drifts, other.success) == (None, False, None)
    assert list(fleet(hall, "&version=2")) == [ada.robot_id]
    assert list(fleet(hall, "&embodiment=panda")) == [bela.robot_id]
    assert fleet(hall, "&lost=true") == {}
    assert fleet(hall, "&refused=true") == {}


def test_the_same_again_writes_nothing(hall: Hall) -> None:
    two_versions(hall)
    (ada,) = fleet_of(hall, 1)
    report = Report(skill="reach", version=1, tallies=(tally(1, "11"),))
    ok(say(ada, report))
    heard = fleet(hall)[ada.robot_id].heard_at
    written: list[str] = []

    def hear(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "reports" in statement and not statement.lstrip().startswith("SELECT"):
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        ok(say(ada, report))
        assert written == []
        hall.clock.advance(5)
        ok(say(ada, report.model_copy(update={"busy": True})))
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    assert len(written) == 1
    assert fleet(hall)[ada.robot_id].heard_at != heard


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"skill": "reach", "version": -1}',
        '{"skill": "reach", "where": "hall 3"}',
        '{"skill": "other"}',
        '{"skill": "reach", "tallies": [{"version": 1, "done": 5, "first": "1"}]}',
        '{"skill": "reach", "guards": {"fresh": 1e30}}',
    ],
)
def test_what_is_no_report_is_refused(hall: Hall, text: str) -> None:
    two_versions(hall)
    (ada,) = fleet_of(hall, 1)
    assert hall.error(say(ada, text), 422)["where"] == "report"
    assert fleet(hall)[ada.robot_id].report is None


def test_a_report_is_bounded_before_it_is_read(hall: Hall) -> None:
    two_versions(hall)
    (ada,) = fleet_of(hall, 1)
    hall.error(say(ada, '{"skill": "reach"}' + " " * 2000), 422)


def test_one_lying_robot_neither_passes_nor_stops_a_ring(hall: Hall) -> None:
    two_versions(hall)
    robots = fleet_of(hall, 3)
    rollout = start(hall, [{"least_seconds": 0, "least_jobs": 20, "margin": 0.1, "arm_margin": 0.3}])
    turn(hall)
    liar, *honest = robots
    for robot in honest:
        fare(robot, "111", "111")
    for lie in ("1" * 64, "0" * 64):
        fare(liar, "0" * 64 if "1" in lie else "1" * 64, lie)
        turn(hall)
        assert view(hall, rollout).state == "open"
    for robot in honest:
        fare(robot, "1" * 40, "0" * 40)
    fare(liar, "0" * 64, "1" * 64)
    turn(hall)
    assert view(hall, rollout).state in {"open", "stopped"}
    fare(liar, "1" * 40, "0" * 40)
    turn(hall)
    assert view(hall, rollout).state == "stopped"


def test_claims_of_robots_that_are_not_to_have_the_version_count_nowhere(hall: Hall) -> None:
    two_versions(hall)
    robots = fleet_of(hall, 4)
    rollout = start(hall, [{"robots": [robots[0].robot_id]}, RING])
    turn(hall)
    for robot in robots[1:]:
        fare(robot, "1" * 40, "0" * 40)
    turn(hall)
    found = view(hall, rollout)
    assert (found.state, found.rings[0].using, found.rings[1].using) == ("open", 0, 0)
    assert all(each.drifts for each in fleet(hall).values() if each.report)


def test_operators_of_others_see_nothing_of_a_robot(hall: Hall) -> None:
    two_versions(hall)
    (ada,) = fleet_of(hall, 1)
    hall.organisation("South")
    stranger = hall.user("sven", "operator", "South")
    answer = hall.client.get("/api/v1/fleet?skill=reach", headers=stranger)
    assert ok(answer).json()["items"] == []
    path = f"/api/v1/robots/{ada.robot_id}/tags"
    hall.error(hall.client.put(path, json={"tags": ["mine"]}, headers=stranger), 404)


def test_a_robot_that_is_withdrawn_leaves_nothing(hall: Hall) -> None:
    two_versions(hall)
    (ada,) = fleet_of(hall, 1)
    fare(ada, "1", "", version=1)
    ok(hall.client.put(f"/api/v1/robots/{ada.robot_id}/tags", json={"tags": ["a"]}, headers=hall.operator))
    ok(hall.post(f"/robots/{ada.robot_id}/withdrawal", {}))
    hall.services.withdrawals.worker.work()
    assert fleet(hall) == {}
    rollout = start(hall)
    ok(order(hall, rollout, "abort"))


def test_the_fleet_is_asked_by_ring_and_drift_and_adoption_is_counted(hall: Hall) -> None:
    two_versions(hall)
    ada, bela, cleo = fleet_of(hall, 3, ["ur5e", "panda", "panda"])
    rollout = start(hall, [{"embodiments": ["ur5e"]}, {}])
    turn(hall)
    fare(ada, "11", "10")
    fare(bela, "1", "0")
    fare(cleo, "111", "", version=1)
    assert list(fleet(hall, "&ring=1")) == [ada.robot_id]
    assert set(fleet(hall, f"&ring=2&rollout={rollout}")) == {bela.robot_id, cleo.robot_id}
    assert list(fleet(hall, "&drifts=true")) == [bela.robot_id]
    assert {each.ring for each in fleet(hall).values()} == {1, 2}
    (arm,), _ = (ring.arms for ring in view(hall, rollout).rings)
    assert (arm.embodiment, arm.robots, arm.using, arm.done, arm.failed) == ("ur5e", 1, 1, 1, 1)
    used = [Adoption.model_validate(each) for each in hall.get("/skills/reach/adoption")]
    assert used == [
        Adoption(version=2, robots=2, drifting=1, done=1, failed=2),
        Adoption(version=1, robots=1, done=6),
    ]
    (use,) = [Use.model_validate(each) for each in hall.get(f"/robots/{bela.robot_id}/uses")]
    assert (use.skill, use.wanted, use.drifts, use.success) == ("reach", 1, True, 0.0)
    assert hall.get("/rollouts/counts") == {"rollouts": 1, "under_way": 1, "prevented": 0}
    ok(order(hall, rollout, "abort"))
    assert hall.get("/rollouts/counts") == {"rollouts": 1, "under_way": 0, "prevented": 1}
    assert view(hall, rollout).prevented
    unknown = hall.client.get(f"{API}/fleet?skill=reach&rollout=o-none", headers=hall.operator)
    assert unknown.status_code == 404
