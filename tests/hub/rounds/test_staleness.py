"""Late deltas: the pure rule, and a real hub that buffers them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rounds.staleness import place
from hub.workers.weights import discount
from skills.messages.rounds import Assignment, DeltaReceipt, RoundState
from tests.hub.conftest import Hall, Robot, ok, tensors_like, tiny_skill

OVER: list[RoundState] = ["published", "rejected", "failed"]
ANY: list[RoundState] = ["open", "closing", "merging", "gating", *OVER]
BASE = tiny_skill()


@given(
    newest=st.sampled_from(ANY),
    over=st.sampled_from(OVER),
    staleness=st.integers(0, 6),
    allowed=st.integers(0, 6),
    rounds_left=st.integers(0, 3),
    running=st.booleans(),
)
def test_a_delta_counts_at_once_or_in_the_next_round_or_never(
    newest: RoundState, over: RoundState, staleness: int, allowed: int, rounds_left: int, running: bool
) -> None:
    state = newest if staleness == 0 else over

    def at(newest: RoundState, staleness: int, allowed: int, rounds_left: int) -> str:
        return place(
            state=newest if staleness == 0 else state,
            newest=newest,
            staleness=staleness,
            allowed=allowed,
            rounds_left=rounds_left,
            running=running,
        )

    found = at(newest, staleness, allowed, rounds_left)
    assert (found == "in time") == (running and staleness == 0 and newest == "open")
    if found == "late":
        assert newest == "open"
        assert running
        assert 1 <= staleness <= allowed
    if found == "later":
        assert newest != "open"
        assert at("open", staleness + 1, allowed, rounds_left - 1) == "late"
    if found == "closed" and running and staleness < allowed and newest != "open":
        assert rounds_left == 0
    if allowed == 0 or not running:
        assert found in {"in time", "closed"}
    if found != "closed":
        assert at(newest, staleness, allowed + 1, rounds_left) == found


def test_weight_falls_with_the_root_of_the_rounds_between() -> None:
    assert [discount(rounds) for rounds in (0, 3, 8)] == [1.0, 0.5, pytest.approx(1 / 3)]


def work_of(robot: Robot) -> Assignment:
    found = robot.assignment()
    assert found is not None
    return found


def bring(robot: Robot, fill: float) -> DeltaReceipt:
    work = work_of(robot)
    data = robot.delta(work, tensors_like(BASE, fill))
    return DeltaReceipt.model_validate_json(ok(robot.push(work.round_id, data)).content)


@pytest.fixture
def buffering(hall: Hall) -> tuple[str, Robot, Robot, Robot]:
    ok(hall.publish(BASE))
    one, two, late = (hall.enrol(name) for name in ("one", "two", "late"))
    merge = {"momentum": 0.0, "step": 1.0, "max_staleness": 1}
    campaign = hall.start(rounds=4, quorum=1, target=2, merge=merge)
    hall.turn()
    return campaign, one, two, late


def test_a_late_delta_counts_once_in_the_open_round_and_weighs_less(
    hall: Hall, buffering: tuple[str, Robot, Robot, Robot]
) -> None:
    campaign, one, two, late = buffering
    work = work_of(late)
    assert work.max_staleness == 1
    data = late.delta(work, tensors_like(BASE, -0.3))
    for robot in (one, two):
        bring(robot, 0.1)
    hall.turn()
    expected = {"round_id": f"{campaign}-2", "status": "admitted", "staleness": 1}
    assert ok(late.push(work.round_id, data)).json().items() >= expected.items()
    again = late.push(work.round_id, data)
    assert (again.status_code, again.json()["status"], again.json()["round_id"]) == (
        200, "duplicate", f"{campaign}-2",
    )  # fmt: skip
    assert late.assignment() is None
    assert hall.round(f"{campaign}-1").deltas == 2
    second = hall.round(f"{campaign}-2")
    assert (second.deltas, second.late) == (1, 1)
    assert second.waiting_for.startswith("1 of 2 deltas (1 of them late);")
    bring(one, 0.1)
    hall.turn()
    step = hall.skill(3).tensors["log_std"] - hall.skill(2).tensors["log_std"]
    share = (1 / np.sqrt(2)) / (1 + 1 / np.sqrt(2))
    np.testing.assert_allclose(step, 0.1 * (1 - share) - 0.3 * share, rtol=1e-5)


def test_what_has_counted_is_not_counted_again(
    hall: Hall, buffering: tuple[str, Robot, Robot, Robot]
) -> None:
    _, one, two, _ = buffering
    work = work_of(one)
    first = one.delta(work, tensors_like(BASE, 0.1))
    ok(one.push(work.round_id, first))
    bring(two, 0.1)
    hall.turn()
    trace = hall.trace()
    assert one.push(work.round_id, first).json()["status"] == "duplicate"
    disguised = one.delta(work, tensors_like(BASE, 0.1), codec="int8")
    assert hall.error(one.push(work.round_id, disguised), 409)["code"] == "second_delta"
    assert hall.trace() == trace


def test_one_delta_of_a_robot_counts_in_a_round_whether_late_or_fresh(
    hall: Hall, buffering: tuple[str, Robot, Robot, Robot]
) -> None:
    _, one, two, late = buffering
    old = work_of(late)
    for robot in (one, two):
        bring(robot, 0.1)
    hall.turn()
    bring(late, 0.1)
    stale = late.delta(old, tensors_like(BASE, 0.1))
    assert hall.error(late.push(old.round_id, stale), 409)["code"] == "second_delta"


def test_too_late_is_refused_with_the_number_of_rounds(
    hall: Hall, buffering: tuple[str, Robot, Robot, Robot]
) -> None:
    _, one, two, late = buffering
    work = work_of(late)
    for _ in range(2):
        for robot in (one, two):
            bring(robot, 0.1)
        hall.turn()
    trace = hall.trace()
    error = hall.error(late.push(work.round_id, late.delta(work, tensors_like(BASE, 0.1))), 409)
    assert error["code"] == "round_closed"
    assert "2 rounds late is more than 1" in error["message"]
    assert hall.trace() == trace


def test_between_two_rounds_the_hub_asks_for_patience(
    hall: Hall, buffering: tuple[str, Robot, Robot, Robot]
) -> None:
    campaign, one, two, late = buffering
    work = work_of(late)
    data = late.delta(work, tensors_like(BASE, 0.1))
    for robot in (one, two):
        bring(robot, 0.1)
    hall.services.rounds.engine.run_once()
    trace = hall.trace()
    assert hall.error(late.push(work.round_id, data), 503)["code"] == "between_rounds"
    assert hall.trace() == trace
    hall.turn()
    assert ok(late.push(work.round_id, data)).json()["round_id"] == f"{campaign}-2"
