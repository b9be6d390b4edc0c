"""A campaign that ends in a roll-out: versions build on each other, and robots get the last by rings."""

from __future__ import annotations

import pytest

from tests.hub.conftest import Hall, Robot, StubGate, ok, random_tensors, tiny_skill

RINGS = [{"share": 0.5, "least_seconds": 60, "least_jobs": 0, "margin": 0.9, "arm_margin": 0.9}, {}]


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(tiny_skill()))
    hall.release(1)
    return [hall.enrol(f"robot {n}") for n in range(2)]


def push(hall: Hall, robots: list[Robot], seed: int) -> str:
    base = ""
    for number, robot in enumerate(robots):
        work = robot.assignment()
        assert work is not None
        base = work.base.digest
        tensors = random_tensors(hall.skill(work.base.version), 10 * seed + number)
        ok(robot.push(work.round_id, robot.delta(work, tensors)))
    hall.turn()
    return base


def test_versions_build_on_each_other_and_only_the_last_is_rolled_out(
    hall: Hall, robots: list[Robot]
) -> None:
    campaign = hall.start(rounds=2, release="canary", rings=RINGS)
    hall.turn()
    assert push(hall, robots, 1) == hall.version(1).digest
    assert hall.version("stable").version == 1
    assert push(hall, robots, 2) == hall.version(2).digest, "the next round begins from what passed"
    found = hall.campaign(campaign)
    assert (found.state, hall.version("stable").version) == ("finished", 1)
    (rollout,) = hall.get("/rollouts")
    assert rollout["rollout_id"] in found.reason
    assert (rollout["old"], rollout["new"]) == (1, 3)
    assert rollout["rings"][0]["plan"]["share"] == 0.5
    assert hall.gate.asked[-1] == (3, 2), "a candidate is held to the one before"


def test_a_ring_has_one_version_for_all_arms(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    order = {"skill": "reach", "release": "canary", "gate": {"on_weak_arm": "release_others"}}
    answer = hall.post("/campaigns", order)
    assert answer.status_code == 422
    assert "a ring has one version" in answer.text


def test_where_another_roll_out_is_under_way_the_campaign_says_so(hall: Hall, robots: list[Robot]) -> None:
    ok(hall.publish(tiny_skill(version=2, seed=2)))
    ok(hall.post("/rollouts", {"skill": "reach", "version": 2}))
    campaign = hall.start(rounds=1, release="canary")
    hall.turn()
    push(hall, robots, 1)
    found = hall.campaign(campaign)
    assert found.state == "finished"
    assert "under way" in found.reason


def test_a_campaign_whose_versions_all_fail_rolls_nothing_out(hall: Hall, robots: list[Robot]) -> None:
    gate: StubGate = hall.gate
    gate.scores[2] = 0.0
    campaign = hall.start(rounds=1, release="canary")
    hall.turn()
    push(hall, robots, 1)
    assert hall.campaign(campaign).state == "finished"
    assert hall.get("/rollouts") == []
