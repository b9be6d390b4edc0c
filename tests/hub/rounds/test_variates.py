"""Campaigns for unlike robots: what robots send beside weights, what the hub refuses, and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from skills.delta import learned, shapes_of_delta
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.parts import CARRIED, is_carried, is_training, part_of
from skills.skill import Skill
from tests.eventually import eventually
from tests.hub.conftest import Hall, Hands, Robot, ok, tiny_skill
from tests.hub.serving import serving

Tensors = dict[str, NDArray[Any]]

BASE = tiny_skill()
UNLIKE = {"variates": True, "share": "policy", "codec": "fp16"}
MERGE = {"momentum": 0.5, "step": 3.0}


@dataclass
class Guild:
    """A hub with three robots that are unlike."""

    hall: Hall
    robots: list[Robot]

    def start(self, **order: Any) -> str:
        campaign = self.hall.start(**{"quorum": 3, "training": UNLIKE, "merge": MERGE, **order})
        self.hall.turn()
        return campaign


@pytest.fixture
def guild(hall: Hall) -> Guild:
    ok(hall.publish(BASE))
    return Guild(hall, [hall.enrol(f"robot {number}") for number in range(3)])


def work_of(robot: Robot) -> Assignment:
    found = robot.assignment()
    assert found is not None
    return found


def trained(base: Skill, plan: TrainingPlan, seed: int) -> Tensors:
    """What a robot has after a round: weights near the base's, and short vectors beside them."""
    rng = np.random.default_rng(seed)
    found: Tensors = {}
    for name, shape in shapes_of_delta(base.manifest, plan).items():
        noise = 0.05 * rng.standard_normal(shape)
        found[name] = np.abs(noise) if part_of(name) == "second" else noise + base.tensors.get(name, 0.0)
    return found


def push(robot: Robot, work: Assignment, base: Skill, mine: Tensors, **changes: Any) -> httpx.Response:
    tensors = dict(learned(mine, base, work.training))
    data = robot.delta(work, tensors, codec=work.training.codec, **changes)
    return robot.push(work.round_id, data)


def round_of(hall: Hall, robots: list[Robot], seed: int) -> list[Tensors]:
    """Each robot trains and brings what the plan asks for; returns what each has."""
    base = hall.skill(work_of(robots[0]).base.version)
    brought = []
    for number, robot in enumerate(robots):
        work = work_of(robot)
        brought.append(trained(base, work.training, 10 * seed + number))
        ok(push(robot, work, base, brought[-1]))
    hall.turn()
    return brought


def version(hall: Hall, number: int) -> Skill | None:
    """The stable version, once it is this one."""
    return hall.skill("stable") if hall.version("stable").version == number else None


def test_rounds_of_unlike_robots_over_http(guild: Guild, clock: Hands) -> None:
    campaign = guild.start(rounds=2)
    with serving(guild.hall.app) as address, httpx.Client(base_url=address, timeout=60) as client:
        robots = [Robot(client, clock, each.robot_id, each.key, 1000) for each in guild.robots]
        for number in (1, 2):
            work = eventually(robots[0].assignment, "a round")
            assert (work.number, work.training) == (number, TrainingPlan.model_validate(UNLIKE))
            brought = round_of(guild.hall, robots, number)
            found = eventually(partial(version, guild.hall, number + 1), "the round's version")
            assert found.manifest.carries == ("variate",)
            for name, tensor in found.tensors.items():
                if name.startswith("critic."):
                    assert np.array_equal(tensor, BASE.tensors[name])
                if is_carried(name):
                    mean = np.mean([mine[name] for mine in brought], axis=0)
                    np.testing.assert_allclose(tensor, mean, atol=2e-3)  # fp16
        assert eventually(lambda: guild.hall.campaign(campaign).state == "finished", "the campaign's end")


def test_moments_are_carried_as_well(guild: Guild) -> None:
    guild.start(rounds=1, training={"variates": True, "moments": True, "codec": "raw"})
    brought = round_of(guild.hall, guild.robots, 1)
    found = guild.hall.skill("stable")
    assert found.manifest.carries == CARRIED
    for name in filter(is_carried, found.tensors):
        mean = np.mean([mine[name] for mine in brought], axis=0)
        np.testing.assert_allclose(found.tensors[name], mean, rtol=1e-5, atol=1e-7)


def test_a_campaign_without_variates_goes_on_from_a_version_that_carries_some(guild: Guild) -> None:
    guild.start(rounds=1)
    round_of(guild.hall, guild.robots, 1)
    assert guild.hall.skill("stable").manifest.carries == ("variate",)
    guild.start(rounds=1, training={})
    round_of(guild.hall, guild.robots, 2)
    plain = guild.hall.skill("stable")
    assert (plain.manifest.version, plain.manifest.carries) == (3, ())
    assert not any(is_carried(name) for name in plain.tensors)
    assert any(not np.array_equal(plain.tensors[n], BASE.tensors[n]) for n in BASE.tensors if is_training(n))


def test_a_late_variate_counts_in_the_round_that_is_open(guild: Guild) -> None:
    guild.start(rounds=3, quorum=2, target=2, merge={**MERGE, "max_staleness": 1})
    *punctual, late = guild.robots
    work = work_of(late)
    mine = trained(BASE, work.training, 99)
    round_of(guild.hall, punctual, 1)
    first = guild.hall.skill("stable")
    assert ok(push(late, work, BASE, mine)).json()["staleness"] == 1
    other = trained(first, work.training, 7)
    ok(push(punctual[0], work_of(punctual[0]), first, other))
    guild.hall.turn()
    second, share = guild.hall.skill("stable"), 1 / (1 + np.sqrt(2))
    for name in filter(is_carried, second.tensors):
        expected = (1 - share) * other[name] + share * (mine[name] + first.tensors[name])
        np.testing.assert_allclose(second.tensors[name], expected, atol=2e-3)


@pytest.mark.parametrize(
    ("ordered", "sent", "where", "words"),
    [
        ({}, UNLIKE, "critic", "lacks a critic, for which its round asks."),
        (UNLIKE, {}, "critic", "has a critic, for which its round does not ask."),
        ({"variates": True}, {}, "training.variate", "lacks control variates, for which its round asks."),
        (
            {},
            {"variates": True},
            "training.variate",
            "has control variates, for which its round does not ask.",
        ),
        (UNLIKE, {**UNLIKE, "moments": True}, "training.first", "has first moments"),
    ],
)
def test_what_was_not_asked_for_and_what_lacks_is_refused_without_a_trace(
    guild: Guild, ordered: dict[str, Any], sent: dict[str, Any], where: str, words: str
) -> None:
    guild.start(training=ordered)
    robot = guild.robots[0]
    plan = TrainingPlan.model_validate(sent)
    work, before = work_of(robot), guild.hall.trace()
    answer = push(robot, work.model_copy(update={"training": plan}), BASE, trained(BASE, plan, 1))
    error = guild.hall.error(answer, 422)
    assert (error["code"], error["where"]) == ("wrong_shape", where)
    assert words in error["message"]
    guild.hall.tidy()
    assert guild.hall.trace() == before
    ok(push(robot, work, BASE, trained(BASE, work.training, 1)))


@pytest.mark.parametrize("part", CARRIED)
def test_a_carried_part_longer_than_any_honest_one_is_refused(guild: Guild, part: str) -> None:
    guild.start(training={**UNLIKE, "moments": True})
    robot, work = guild.robots[0], work_of(guild.robots[0])
    mine = trained(BASE, work.training, 1)
    mine[f"training.{part}.log_std"] = np.full(2, 1.5)
    error = guild.hall.error(push(robot, work, BASE, mine), 422)
    assert (error["code"], error["where"]) == ("norm_too_large", f"delta.tensors.training.{part}")
    mine[f"training.{part}.log_std"] = np.full(2, 1.3)
    ok(push(robot, work, BASE, mine))


def test_weights_may_be_as_long_as_ever_beside_a_variate(guild: Guild) -> None:
    guild.start(training={**UNLIKE, "clip_norm": 5.0})
    robot, work = guild.robots[0], work_of(guild.robots[0])
    mine = trained(BASE, work.training, 1)
    longer = {name: each if is_carried(name) else each + 10.0 for name, each in mine.items()}
    generous = work.model_copy(update={"training": work.training.model_copy(update={"clip_norm": 50.0})})
    assert guild.hall.error(push(robot, generous, BASE, longer), 422)["code"] == "norm_too_large"
    ok(push(robot, work, BASE, longer))
    view = guild.hall.round(work.round_id)
    assert view.deltas == 1


@pytest.mark.parametrize("rule", ["fltrust", "task-arithmetic", "ties", "dare"])
def test_rules_that_make_no_mean_are_none_for_variates(guild: Guild, rule: str) -> None:
    order = {"skill": "reach", "merge": {"rule": rule}, "training": UNLIKE}
    error = guild.hall.error(guild.hall.post("/campaigns", order), 422)
    assert error["where"] == "merge.rule"
    assert rule in error["message"]
    ok(guild.hall.post("/campaigns", {**order, "training": {}}))


def test_moments_are_not_ordered_without_variates(guild: Guild) -> None:
    order = {"skill": "reach", "training": {"moments": True}}
    error = guild.hall.error(guild.hall.post("/campaigns", order), 422)
    assert "moments are made of variates" in error["message"]
