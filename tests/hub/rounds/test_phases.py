"""Campaigns of several phases: each round is by its phase's plan, and nothing of another learner stays."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest

from hub.storage.tables.rounds import RoundRow
from skills.delta import learned
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.parts import CARRIED, is_carried, network_of
from skills.skill import Skill
from tests.eventually import eventually
from tests.hub.conftest import Hall, Hands, Robot, ok, tiny_skill
from tests.hub.rounds.test_variates import Tensors, trained, version, work_of
from tests.hub.serving import serving

BASE = tiny_skill()
LESSONS = {
    "learner": {"algorithm": "imitation", "master_iterations": 6},
    "variates": True,
    "moments": True,
    "share": "policy",
}
PRACTICE = {"learner": {"algorithm": "ppo"}, "variates": True, "share": "policy", "learning_rate": 5e-4}
STEP = 3.0
MERGE = {"momentum": 0.5, "step": STEP}


@pytest.fixture
def robots(hall: Hall) -> list[Robot]:
    ok(hall.publish(BASE))
    return [hall.enrol(f"robot {number}") for number in range(2)]


def start(hall: Hall, **order: Any) -> str:
    """Lessons for two rounds and practice for two, if nothing else is said."""
    phases = {"rounds": 2, "training": LESSONS, "then": [{"rounds": 2, "training": PRACTICE}]}
    campaign = hall.start(**{"merge": MERGE, **phases, **order})
    hall.turn()
    return campaign


def begin_of(work: Assignment, base: Skill) -> Skill:
    """What a robot begins with: where it is told so, without what the base carries."""
    if not work.afresh:
        return base
    return Skill(base.manifest.model_copy(update={"carries": ()}), network_of(base.tensors))


def brought_by(hall: Hall, robots: list[Robot], seed: int) -> list[Tensors]:
    """Each robot trains and brings what the plan asks for; returns what each has."""
    found = []
    for number, robot in enumerate(robots):
        work = work_of(robot)
        base = begin_of(work, hall.skill(work.base.version))
        found.append(trained(base, work.training, 10 * seed + number))
        ok(robot.push(work.round_id, robot.delta(work, dict(learned(found[-1], base, work.training)))))
    hall.turn()
    return found


def test_each_round_is_by_the_plan_of_its_phase_over_http(
    hall: Hall, robots: list[Robot], clock: Hands
) -> None:
    campaign = start(hall)
    plans = [TrainingPlan.model_validate(each) for each in (LESSONS, LESSONS, PRACTICE, PRACTICE)]
    rates = [plans[0].learning_rate, plans[0].final_learning_rate, 5e-4, plans[2].final_learning_rate]
    with serving(hall.app) as address, httpx.Client(base_url=address, timeout=60) as client:
        there = [Robot(client, clock, each.robot_id, each.key, 1000) for each in robots]
        for number, (plan, rate) in enumerate(zip(plans, rates, strict=True), start=1):
            work = eventually(there[0].assignment, "a round")
            assert (work.number, work.rounds, work.training) == (number, 4, plan)
            assert work.learning_rate == pytest.approx(rate)
            assert work.afresh == (number == 3)
            brought = brought_by(hall, there, number)
            made = eventually(partial(version, hall, number + 1), "the round's version")
            assert made.manifest.carries == (CARRIED if number <= 2 else ("variate",))
            for name in filter(is_carried, made.tensors):
                mean = np.mean([mine[name] for mine in brought], axis=0)
                np.testing.assert_allclose(made.tensors[name], mean, rtol=1e-5, atol=1e-6)
        assert eventually(lambda: hall.campaign(campaign).state == "finished", "the campaign's end")
    assert [each.number for each in hall.campaign(campaign).rounds] == [1, 2, 3, 4]


def test_the_server_begins_anew_with_another_learner_and_goes_on_with_the_same(
    hall: Hall, robots: list[Robot]
) -> None:
    start(
        hall,
        then=[{"rounds": 1, "training": {**LESSONS, "iterations": 9}}, {"rounds": 1, "training": PRACTICE}],
    )
    for number in (1, 2, 3, 4):
        base = hall.skill(number)
        brought = brought_by(hall, robots, number)
        made = hall.skill(number + 1)
        alone = base.tensors["log_std"] + STEP * np.mean(
            [mine["log_std"] - base.tensors["log_std"] for mine in brought], axis=0
        )
        assert np.allclose(made.tensors["log_std"], alone, atol=1e-5) == (number in {1, 4}), number


def test_a_phase_begins_from_nothing_until_one_of_its_rounds_is_published(
    hall: Hall, robots: list[Robot]
) -> None:
    hall.gate.scores[4] = 0.1
    campaign = start(hall)
    for number in (1, 2, 3):
        brought_by(hall, robots, number)
    assert hall.round(f"{campaign}-3").state == "rejected"
    work = work_of(robots[0])
    assert (work.number, work.base.version, work.afresh) == (4, 3, True)
    brought = brought_by(hall, robots, 4)
    made = hall.skill("stable")
    assert made.manifest.version == 5
    for name in filter(is_carried, made.tensors):
        mean = np.mean([mine[name] for mine in brought], axis=0)
        np.testing.assert_allclose(made.tensors[name], mean, rtol=1e-5, atol=1e-6)


def test_so_it_is_where_another_campaign_has_another_learner(hall: Hall, robots: list[Robot]) -> None:
    for number, (plan, afresh) in enumerate([(LESSONS, False), (LESSONS, False), (PRACTICE, True)]):
        start(hall, rounds=1, training=plan, then=[])
        assert work_of(robots[0]).afresh == afresh
        brought_by(hall, robots, number)


def test_a_delta_of_one_phase_does_not_count_in_the_next(hall: Hall, robots: list[Robot]) -> None:
    same = {"rounds": 2, "training": {**LESSONS, "iterations": 9}}
    start(hall, merge={**MERGE, "max_staleness": 1}, quorum=1, target=1, rounds=3, then=[same])
    punctual, late = robots
    for number, outcome in ((1, "admitted"), (3, "round_closed"), (4, "admitted")):
        work = work_of(late)
        assert work.number == number
        base = begin_of(work, hall.skill(work.base.version))
        mine = dict(learned(trained(base, work.training, 77 + number), base, work.training))
        brought_by(hall, [punctual], number)
        answer = late.push(work.round_id, late.delta(work, mine))
        if outcome == "admitted":
            assert ok(answer).json()["staleness"] == 1
        else:
            assert hall.error(answer, 409)["code"] == outcome
        hall.turn()


def test_between_two_phases_a_late_delta_is_not_put_off(hall: Hall, robots: list[Robot]) -> None:
    campaign = start(hall, merge={**MERGE, "max_staleness": 1}, quorum=1, target=1, rounds=1)
    punctual, late = robots
    work = work_of(late)
    mine = dict(learned(trained(BASE, work.training, 77), BASE, work.training))
    ok(punctual.push(work.round_id, punctual.delta(work, mine)))
    with hall.services.storage.database.write() as session:
        session.get_one(RoundRow, f"{campaign}-1").state = "gating"
    assert hall.error(late.push(work.round_id, late.delta(work, mine)), 409)["code"] == "round_closed"


def test_where_masters_are_trained_the_first_round_has_the_time_for_it(
    hall: Hall, robots: list[Robot], clock: Hands
) -> None:
    campaign = start(hall, deadline_seconds=60)
    first = hall.round(f"{campaign}-1")
    assert (first.deadline - first.opened_at).total_seconds() == 60 * (1 + 6 / 3)
    assert first.waiting_for.endswith("at most 3 min more; those without a master train one first.")
    clock.advance(61)
    brought_by(hall, robots, 1)
    second = hall.round(f"{campaign}-2")
    assert (second.deadline - second.opened_at).total_seconds() == 60


@pytest.mark.parametrize(
    ("plan", "where", "words"),
    [
        ({"codec": "fp7"}, "codec", "fp7"),
        ({"variates": True}, "merge.rule", "ties makes none"),
        ({"moments": True}, "body.then.0.training", "moments are made of variates"),
    ],
)
def test_every_phase_is_held_to_what_a_plan_must_be(
    hall: Hall, robots: list[Robot], plan: dict[str, Any], where: str, words: str
) -> None:
    order = {"skill": "reach", "merge": {"rule": "ties"}, "then": [{"rounds": 1, "training": plan}]}
    error = hall.error(hall.post("/campaigns", order), 422)
    assert error["where"] == where
    assert words in error["message"]
    assert robots
