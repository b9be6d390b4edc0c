"""The simulation of scale keeps the laws of queues, and the results say what it came to."""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.scale.costs import Costs, Line, Point, fit
from benchmarks.scale.paper import Case, cases, work_out
from benchmarks.scale.report import RESULT, deviation
from benchmarks.scale.simulation import Plan, Station, simulate, simulate_halls

COSTS = Costs(
    enrol=0.007,
    poll=0.001,
    hold=0.002,
    fetch=Line(0.004, 1e-9),
    push=Line(0.005, 8e-9),
    commit=0.002,
    look=Line(0.004, 4e-6),
    round=0.1,
    idle=0.005,
    merge=Line(5e-4, 3e-9),
    merge_start=0.01,
    episode=Line(0.01, 2e-9),
    gate_start=0.02,
    client_hold=6e-4,
    client_fetch=Line(6e-4, 1e-9),
    client_push=Line(7e-4, 1e-9),
)
PLAN = Plan(robots=50, rounds=2, base_bytes=60e3, delta_bytes=30e3, train_seconds=2.0)
sizes = st.integers(1, 400)


def queue(arrivals: float, service: float, customers: int, seed: int) -> tuple[Station, float]:
    """One place, customers at random: M/M/1; and how long it was open."""
    env, rng = simpy.Environment(), np.random.default_rng(seed)
    station = Station(env, 1)

    def come() -> Generator[simpy.Event, Any, None]:
        for _ in range(customers):
            yield env.timeout(rng.exponential(1 / arrivals))
            env.process(station.serve(rng.exponential(service)))

    env.process(come())
    env.run()
    return station, float(env.now)


@given(st.floats(0.1, 0.9), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_as_many_are_there_as_come_times_how_long_they_stay(load: float, seed: int) -> None:
    station, seconds = queue(load, 1.0, 300, seed)
    there, coming, staying = (
        station.area / seconds,
        station.served / seconds,
        station.waited / station.served,
    )
    assert there == pytest.approx(coming * staying, rel=1e-9)  # Little's law
    assert station.here == 0
    assert station.busy <= seconds


def test_a_queue_waits_as_long_as_theory_says() -> None:
    station, _ = queue(0.5, 1.0, 40_000, 3)
    assert station.waited / station.served == pytest.approx(1 / (1 / 1.0 - 0.5), rel=0.08)


@given(sizes, st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_equal_seeds_give_equal_bits(robots: int, seed: int) -> None:
    plan = replace(PLAN, robots=robots)
    assert simulate(plan, COSTS, seed) == simulate(plan, COSTS, seed)


@given(sizes, st.integers(1, 200), st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_more_robots_take_more(robots: int, more: int, seed: int) -> None:
    few = simulate(replace(PLAN, robots=robots), replace(COSTS, commit=0.0), seed)
    many = simulate(replace(PLAN, robots=robots + more), replace(COSTS, commit=0.0), seed)
    for name in ("web", "merging", "training", "received", "sent"):
        assert getattr(many, name) > getattr(few, name), name
    assert many.gating == few.gating
    assert many.seconds >= few.seconds - 2 * PLAN.rounds  # a look at the round may fall otherwise


def test_the_hub_takes_what_all_requests_and_looks_take() -> None:
    found = simulate(PLAN, replace(COSTS, commit=0.0), 0)
    each = COSTS.hold + COSTS.fetch(PLAN.base_bytes) + COSTS.push(PLAN.delta_bytes)
    expected = PLAN.rounds * (PLAN.robots * each + COSTS.round) + found.looks + COSTS.idle * found.seconds
    assert found.web == pytest.approx(expected)
    assert found.merging == pytest.approx(2 * (COSTS.merge_start + 50 * COSTS.merge(PLAN.delta_bytes)))


def test_a_request_that_shares_its_transaction_takes_less() -> None:
    slow = simulate(replace(PLAN, train_seconds=500.0), COSTS, 0)
    quick = simulate(replace(PLAN, train_seconds=0.01), COSTS, 0)
    assert slow.web - slow.looks - COSTS.idle * slow.seconds > quick.web - quick.looks


def test_robots_in_one_go_come_to_the_same_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, robots=950, rounds=1, train_seconds=30.0)
    alone = simulate(plan, COSTS, 0)
    monkeypatch.setattr("benchmarks.scale.simulation.MOST_ENTITIES", 190)
    together = simulate(plan, COSTS, 0)
    assert together.seconds == pytest.approx(alone.seconds, rel=0.1)
    assert together.web == pytest.approx(alone.web, rel=0.1)


def test_halls_share_the_robots_and_the_one_above_waits_for_them() -> None:
    plan = replace(PLAN, robots=1_000, rounds=1)
    above, hall = simulate_halls(plan, 10, COSTS, 0)
    assert hall is not None
    assert hall.received == 100 * plan.delta_bytes
    assert above.received == 10 * plan.delta_bytes
    assert above.seconds > hall.seconds / 2
    assert simulate_halls(plan, 1, COSTS, 0) == (simulate(plan, COSTS, 0), None)


@given(st.floats(1e-4, 1e-2), st.floats(1e-9, 1e-7))
def test_a_line_is_found_again(fixed: float, each: float) -> None:
    points = [Point(n, size, n * (fixed + each * size)) for n, size in ((200, 3e4), (10, 3e6))]
    found = fit(points)
    assert found.fixed == pytest.approx(fixed, rel=1e-6)
    assert found.each == pytest.approx(each, rel=1e-6)


@given(
    st.lists(
        st.builds(Point, st.integers(1, 99), st.floats(1, 1e7), st.just(0.0) | st.floats(1e-3, 9)), max_size=4
    )
)
def test_no_line_goes_below_nothing(points: list[Point]) -> None:
    found = fit(points)
    assert found.fixed >= 0
    assert found.each >= 0


def test_every_decade_has_its_cases() -> None:
    found = cases()
    assert {(robots, skill) for robots, halls, skill in found if halls == 1} == {
        (robots, skill) for robots in (10**3, 10**4, 10**5, 10**6) for skill in ("60 kB", "60 MB", "6 GB")
    }
    assert (10**6, 1_000, "60 MB") in found


def test_costs_go_into_a_file_and_come_back() -> None:
    assert Costs.of(json.loads(json.dumps(COSTS.as_dict()))) == COSTS


RECORDED = json.loads(RESULT.read_text()) if RESULT.exists() else {"runs": [], "cases": []}


@pytest.mark.parametrize("run", RECORDED["runs"])
def test_what_a_real_run_is_held_against_comes_out_again(run: dict[str, Any]) -> None:
    paper = simulate(Plan(**run["measured"]["plan"]), Costs.of(RECORDED["costs"]), 0)
    assert run["simulated"] == {
        "web": paper.web,
        "worker": paper.merging + paper.gating,
        "seconds": paper.seconds,
    }
    assert abs(deviation(run, "web")) < 1


@pytest.mark.parametrize("halls", [1, 10])
def test_what_is_recorded_comes_out_again(halls: int) -> None:
    found = [Case.of(each) for each in RECORDED["cases"]]
    few = [each for each in found if (each.robots, each.halls, each.skill) == (10**3, halls, "60 kB")]
    assert few == [work_out(10**3, halls, "60 kB", Costs.of(RECORDED["costs"]), 0)]
    assert [(each.robots, each.halls, each.skill) for each in found] == cases()
