"""Rounds that begin from a candidate which is still measured."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from hub.settings import Settings
from hub.storage.tables.rounds import CampaignRow, DeltaRow
from skills.errors import ContractError
from skills.messages.rounds import Assignment
from tests.hub.conftest import Hall, Hands, Robot, StubGate, ok, tensors_like, tiny_skill
from tests.hub.withdrawals.guild import forget, must_be_sound

BEFORE_THE_GATE = 3
"""Steps from the last delta on: close, list, merge."""


@pytest.fixture
def robots(hall: Hall) -> tuple[Robot, Robot]:
    ok(hall.publish(tiny_skill()))
    return hall.enrol("one"), hall.enrol("two", "panda")


@pytest.fixture
def campaign(hall: Hall, robots: tuple[Robot, Robot]) -> str:
    found = hall.start(ahead=True, target=len(robots))
    hall.turn()
    return found


def work_of(robot: Robot) -> Assignment:
    work = robot.assignment()
    assert work is not None
    return work


def bring(robots: tuple[Robot, ...], fill: float = 0.1) -> list[Assignment]:
    works = [work_of(robot) for robot in robots]
    for robot, work in zip(robots, works, strict=True):
        ok(robot.push(work.round_id, robot.delta(work, tensors_like(tiny_skill(), fill))))
    return works


def up_to_the_gate(hall: Hall) -> None:
    for _ in range(BEFORE_THE_GATE):
        assert hall.services.rounds.engine.run_once()


def states(hall: Hall, campaign: str) -> list[str]:
    return [each.state for each in hall.campaign(campaign).rounds]


def test_the_next_round_collects_while_the_candidate_is_measured(
    hall: Hall, robots: tuple[Robot, Robot], campaign: str
) -> None:
    bring(robots)
    up_to_the_gate(hall)
    assert states(hall, campaign) == ["gating", "open"]
    works = bring(robots)
    assert {work.base.version for work in works} == {2}
    hall.turn()
    assert states(hall, campaign) == ["published", "published", "open"]
    first, second, _ = hall.campaign(campaign).rounds
    assert (second.base, second.deltas) == (first.candidate, 2)
    assert hall.gate.asked[1:] == [(2, 1), (3, 2)]
    assert hall.version("stable").version == 3


def test_without_it_rounds_follow_one_another(hall: Hall, robots: tuple[Robot, Robot]) -> None:
    found = hall.start(target=2)
    hall.turn()
    bring(robots)
    up_to_the_gate(hall)
    assert states(hall, found) == ["gating"]
    assert robots[0].assignment() is None


def test_a_refusal_drops_what_came_and_rounds_go_on_from_the_stable_version(
    hall: Hall, robots: tuple[Robot, Robot], campaign: str
) -> None:
    hall.gate.scores[2] = 0.1
    bring(robots)
    up_to_the_gate(hall)
    ahead = work_of(robots[1])
    bring(robots[:1], 0.2)
    hall.turn()
    assert states(hall, campaign) == ["rejected", "failed", "open"]
    refused, dropped, now = hall.campaign(campaign).rounds
    assert dropped.base == refused.candidate
    assert (dropped.deltas, dropped.candidate) == (1, None)
    assert "has not passed" in dropped.waiting_for
    assert now.base == refused.base
    late = robots[1].push(ahead.round_id, robots[1].delta(ahead, tensors_like(tiny_skill(), 0.3)))
    assert hall.error(late, 409)["code"] == "round_closed"
    bring(robots, 0.5)
    hall.turn()
    assert states(hall, campaign) == ["rejected", "failed", "published"]
    assert hall.campaign(campaign).state == "finished"
    assert hall.skill("stable").manifest.samples == hall.campaign(campaign).rounds[-1].samples


def test_a_full_round_whose_base_falls_makes_no_candidate(
    hall: Hall, robots: tuple[Robot, Robot], campaign: str
) -> None:
    hall.gate.scores[2] = 0.1
    bring(robots)
    up_to_the_gate(hall)
    bring(robots, 0.2)
    hall.turn()
    assert states(hall, campaign) == ["rejected", "failed", "open"]
    assert [asked for asked in hall.gate.asked if asked[0] > 2] == []


def test_a_gate_that_breaks_takes_the_round_ahead_with_it(
    hall: Hall, robots: tuple[Robot, Robot], campaign: str
) -> None:
    bring(robots)
    up_to_the_gate(hall)
    hall.gate.error = ContractError("it cannot be measured.")
    hall.services.rounds.engine.run_once()
    hall.gate.error = None
    hall.turn()
    assert states(hall, campaign) == ["failed", "failed", "open"]
    assert hall.campaign(campaign).rounds[-1].base == hall.version("stable").digest


def test_the_last_round_has_none_ahead_and_the_campaign_ends(hall: Hall, robots: tuple[Robot, Robot]) -> None:
    found = hall.start(ahead=True, target=2, rounds=2)
    hall.turn()
    for _ in range(2):
        bring(robots)
        up_to_the_gate(hall)
    hall.turn()
    assert states(hall, found) == ["published", "published"]
    assert hall.campaign(found).state == "finished"


def test_a_stop_ends_both(hall: Hall, robots: tuple[Robot, Robot], campaign: str) -> None:
    bring(robots)
    up_to_the_gate(hall)
    ok(hall.post(f"/campaigns/{campaign}/stop"))
    hall.turn()
    assert states(hall, campaign) == ["failed", "failed"]
    assert robots[0].assignment() is None


def test_it_goes_with_no_late_deltas(hall: Hall) -> None:
    order = {"skill": "reach", "ahead": True, "merge": {"max_staleness": 1}}
    assert "max_staleness" in hall.error(hall.post("/campaigns", order), 422)["message"]


@pytest.fixture
def successor(settings: Settings, clock: Hands) -> Iterator[Hall]:
    """Another hub process over the same database and store."""
    found = Hall(settings, StubGate(), clock)
    yield found
    found.close()


@pytest.mark.parametrize(("score", "expected"), [(0.5, "published"), (0.1, "failed")])
def test_another_process_goes_on_where_one_died_and_nothing_counts_twice(
    hall: Hall,
    robots: tuple[Robot, Robot],
    campaign: str,
    successor: Hall,
    score: float,
    expected: str,
) -> None:
    bring(robots)
    up_to_the_gate(hall)  # and dies here
    works = bring(robots, 0.2)
    for robot, work in zip(robots, works, strict=True):  # whose answers were lost
        again = ok(robot.push(work.round_id, robot.delta(work, tensors_like(tiny_skill(), 0.2)))).json()
        assert again["status"] == "duplicate"
    successor.gate.scores = {2: score}
    successor.turn()
    found = successor.campaign(campaign).rounds
    assert [each.number for each in found] == [1, 2, 3]
    assert found[1].state == expected
    with successor.services.storage.database.read() as session:
        assert len(session.scalars(select(DeltaRow)).all()) == 4
        assert session.scalars(select(CampaignRow.lease_holder)).one() == ""


def test_a_robot_that_is_withdrawn_meanwhile_takes_both_rounds_with_it(
    hall: Hall, robots: tuple[Robot, Robot], campaign: str
) -> None:
    bring(robots)
    up_to_the_gate(hall)
    bring(robots, 0.2)
    forget(hall, robots[0])
    hall.turn()
    assert states(hall, campaign) == ["failed", "failed", "open"]
    assert hall.campaign(campaign).rounds[-1].base == hall.version("stable").digest
    must_be_sound(hall)


def test_a_robot_that_gave_to_the_round_ahead_alone_is_only_missing_there(hall: Hall) -> None:
    ok(hall.publish(tiny_skill()))
    robots = tuple(hall.enrol(name) for name in ("one", "two", "three"))
    found = hall.start(ahead=True, target=2)
    hall.turn()
    bring(robots[:2])
    up_to_the_gate(hall)
    bring(robots[2:], 0.2)
    forget(hall, robots[2])
    bring(robots[:2], 0.3)
    hall.turn()
    assert states(hall, found) == ["published", "published", "open"]
    assert hall.campaign(found).rounds[1].deltas == 2
