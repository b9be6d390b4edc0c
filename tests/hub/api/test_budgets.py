"""How many statements an answer costs: a number that does not grow with what the hub holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.access.authenticator import Signed
from hub.access.principal import Principal
from skills.container import digest_of
from skills.messages.base import API
from skills.messages.rounds import DeltaReceipt
from skills.signing import delta_statement
from tests.hub.conftest import Collecting, Hall, Robot, ok, random_tensors, tiny_skill
from tests.hub.counting import Counted, counting

POLL, PUSH = 16, 34
"""Statements of one poll, and of one push, from its first byte to its answer."""
MANY = 24


def poll(hall: Hall, robot: Robot) -> Counted:
    with counting(hall.services) as counted:
        ok(robot.request("GET", "/robots/me/assignment?skill=reach"))
    return counted


def push(collecting: Collecting, robot: Robot, seed: int) -> Counted:
    data = robot.delta(collecting.work, random_tensors(collecting.base, seed))
    with counting(collecting.hall.services) as counted:
        assert robot.push(collecting.work.round_id, data).status_code == 201
    return counted


def crowd(hall: Hall, many: int) -> list[Robot]:
    return [hall.enrol(f"robot {number}") for number in range(many)]


def test_a_poll_costs_the_same_however_much_there_is(collecting: Collecting) -> None:
    hall, robot = collecting.hall, collecting.robots[0]
    first = len(poll(hall, robot).statements)
    assert first <= POLL
    for seed, each in enumerate(crowd(hall, MANY)):
        push(collecting, each, seed)
    for number in range(5):
        ok(hall.publish(tiny_skill(name=f"skill-{number}")))
    assert len(poll(hall, robot).statements) <= first


def test_a_push_costs_the_same_however_many_came_before(collecting: Collecting) -> None:
    robots = crowd(collecting.hall, MANY)
    costs = [len(push(collecting, robot, seed).statements) for seed, robot in enumerate(robots)]
    assert max(costs) <= PUSH
    assert costs[-1] <= costs[1]


def test_a_push_costs_the_same_in_a_late_round(hall: Hall) -> None:
    base = tiny_skill()
    ok(hall.publish(base))
    robots = crowd(hall, 2)
    hall.start(rounds=8)
    costs = []
    for number in range(8):
        hall.turn()
        work = robots[0].assignment()
        assert work is not None
        assert work.number == number + 1
        collecting = Collecting(hall, work.campaign_id, (robots[0], robots[1]), work, base)
        costs.append([len(push(collecting, each, number).statements) for each in robots])
    assert max(map(max, costs)) <= PUSH
    assert costs[-1] <= costs[1]


def test_the_engine_reads_no_names_while_a_round_cannot_close(collecting: Collecting) -> None:
    """It looks with each news, and there are as many names as robots."""
    engine = collecting.hall.services.rounds.engine
    push(collecting, collecting.robots[0], 1)
    with counting(collecting.hall.services) as counted:
        assert not engine.run_once()
    assert not any("robot_id" in statement for statement in counted.statements)
    push(collecting, collecting.robots[1], 2)
    assert engine.run_once()


@pytest.mark.parametrize("what", ["polls", "pushes"])
def test_many_at_once_cost_hardly_more_than_one(collecting: Collecting, what: str) -> None:
    """Set-based: at most three goes gather everybody, so the statements of three are enough for all."""
    hall, services = collecting.hall, collecting.hall.services
    limited = {"visibility": "guild", "quotas": {"uploads_per_hour": 10 * MANY}}
    ok(hall.client.put(f"{API}/organisations/guild", json=limited, headers=hall.operator))
    robots = crowd(hall, MANY)
    deltas = [
        robot.delta(collecting.work, random_tensors(collecting.base, n)) for n, robot in enumerate(robots)
    ]
    signed = [
        Signed(Principal(robot.robot_id, "robot", "guild"), f"once-{robot.robot_id}") for robot in robots
    ]

    async def lift(work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(work, *arguments)

    async def bring(number: int) -> DeltaReceipt:
        with services.storage.spool.file() as file:
            file.write(deltas[number])
            signature = robots[number].key.sign(delta_statement(digest_of(deltas[number])))
            round_id = collecting.work.round_id
            return await services.deltas.admission.take(round_id, file, signature, signed[number], lift)

    async def all_at_once(one: Callable[[int], Awaitable[object]]) -> list[object]:
        return list(await asyncio.gather(*(one(number) for number in range(MANY))))

    with counting(services) as counted:
        if what == "pushes":
            asyncio.run(all_at_once(bring))
        else:
            asyncio.run(all_at_once(lambda n: services.rounds.assignments.ask(signed[n], "reach")))
    most = {"pushes": 3 * PUSH, "polls": 3 * POLL}[what]
    assert len(counted.statements) <= most
    assert counted.commits < MANY
    if what == "pushes":
        assert hall.round(collecting.work.round_id).deltas == MANY
