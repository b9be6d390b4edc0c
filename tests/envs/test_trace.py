"""Episodes step by step: what is left of the clock is known in each step, and so is what follows from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from envs.evaluate import evaluate
from envs.examine import Idle, RandomPolicy
from envs.recording import Recording, record
from envs.scripted import controller, controller_names
from envs.task import Task, load_task
from envs.trace import Trace, trace_of
from envs.workshop import data_sheet, fresh_workshop
from skills.errors import ContractError
from tests.envs.bundles import small_task

EPISODES, SEED = 4, 7
SUCCESS = 'steps = [{ of = "high", below = 0.01 }]'
FAILURE = ("[scripted.p]", '[[failure]]\nof = "clock.left"\nbelow = 0.68\n\n[scripted.p]')


def recorded(task: Task) -> Recording:
    idle = Idle(task.contract.action_size)
    return record(idle, task, data_sheet(task.bundle, "ur5e"), EPISODES, SEED, ["tool.velocity"])


def best(task: Task) -> str:
    return controller_names(task)[-1]


def earned(trace: Trace) -> float:
    return sum(each or 0.0 for each in trace.reward)


def traced(folder: Path, success: str, *changes: tuple[str, str]) -> Trace:
    """Of 20 steps of 20 ms; after step k, 1 - k / 20 is left."""
    task = small_task(folder, (SUCCESS, success), *changes)
    return trace_of(recorded(task), task)


def test_when_a_condition_held_is_counted_from_the_grace(tmp_path: Path) -> None:
    found = traced(tmp_path, 'grace = 12\nshare = 0.5\nsteps = [{ of = "clock.left", below = 0.52 }]')
    (condition,) = found.conditions
    assert (found.success, found.not_done, found.episode) == (True, (), 0)
    np.testing.assert_allclose(condition.held, [(0.2, 0.4)])
    assert (condition.share, condition.verdict, condition.low, condition.high) == (1.0, "met", None, 0.52)
    assert condition.last == pytest.approx(0.0)
    assert found.counted_from == pytest.approx(0.24)
    assert found.quantities["clock.left"].values == pytest.approx(1.0 - np.arange(1, 21) / 20)


def test_conditions_that_hold_often_but_not_at_once_are_told_from_those_that_hold_too_seldom(
    tmp_path: Path,
) -> None:
    late, early = '{ of = "clock.left", below = 0.52 }', '{ of = "clock.left", above = 0.32 }'
    together = traced(tmp_path / "A", f"share = 0.4\nsteps = [{late}, {early}]")
    assert [each.verdict for each in together.conditions] == ["missed with others"] * 2
    assert together.together == pytest.approx(4 / 20)
    alone = traced(tmp_path / "B", f"share = 0.6\nsteps = [{late}, {early}]")
    assert [each.verdict for each in alone.conditions] == ["missed", "missed with others"]
    ended = traced(tmp_path / "C", f"end = [{late}, {early}]")
    assert [each.verdict for each in ended.conditions] == ["met", "missed"]
    assert (ended.success, ended.not_done) == (False, (0, 1, 2, 3))


def test_a_failure_ends_it_and_nothing_else_is_asked(tmp_path: Path) -> None:
    success = 'steps = [{ of = "clock.left", above = 0.1 }]\nend = [{ of = "clock.left", above = 0.1 }]'
    found = traced(tmp_path, success, FAILURE)
    assert [each.verdict for each in found.conditions] == ["not asked", "not asked", "ended it"]
    assert len(found.times) == len(found.reward) == len(found.actions["velocity[0]"]) == 7
    np.testing.assert_allclose(found.conditions[0].held, [(0.02, 0.14)])
    assert found.conditions[0].share == pytest.approx(7 / 20)


@pytest.mark.parametrize("name", ["weld-seam", "insert-peg", "hover-inspect"])
def test_an_episode_fails_exactly_where_a_condition_decided_it(name: str) -> None:
    task = load_task(name)
    shop = fresh_workshop(task.bundle, task.bundle.embodiments[0], 1, held_out=True)
    outcomes = set()
    for make in (lambda: RandomPolicy(task.contract.action_size), lambda: controller(best(task), task)):
        found = record(make(), task, shop, EPISODES, SEED)
        traces = [trace_of(found, task, episode) for episode in range(EPISODES)]
        for trace in traces:
            assert trace.success == (not any(each.decided for each in trace.conditions))
            assert not trace.broke_off
        score = evaluate(make(), task, shop, EPISODES, SEED)
        assert score.successes == sum(trace.success for trace in traces)
        assert score.mean_return == pytest.approx(np.mean([earned(trace) for trace in traces]))
        outcomes |= {trace.success for trace in traces}
    assert outcomes == {True, False}


def test_the_first_that_is_not_done_is_shown_and_others_are_asked_for_by_number(tmp_path: Path) -> None:
    task = small_task(tmp_path)
    found = replace(recorded(task), success=np.array([True, False, True, False]))
    assert (trace_of(found, task).episode, trace_of(found, task).not_done) == (1, (1, 3))
    assert trace_of(found, task, 2).success
    with pytest.raises(ContractError, match="no episode 4"):
        trace_of(found, task, 4)


def test_what_is_no_finite_number_is_said_and_left_out(tmp_path: Path) -> None:
    task = small_task(tmp_path, (SUCCESS, 'end = [{ of = "clock.left", below = 0.5 }]'))
    whole = recorded(task)
    broken = np.where(np.arange(20)[:, None] == 19, np.nan, whole.rewards)
    found = trace_of(replace(whole, success=np.zeros(EPISODES, np.bool_), rewards=broken), task)
    assert found.broke_off
    assert found.reward[-1] is None
    with pytest.raises(ContractError, match="when it begins"):
        trace_of(replace(whole, lasted=np.zeros(EPISODES, np.int64)), task)


def test_other_quantities_are_recorded_if_there_are_such(tmp_path: Path) -> None:
    task = small_task(tmp_path)
    series = trace_of(recorded(task), task).quantities["tool.velocity"]
    assert (series.unit, series.components, len(series.values)) == ("m/s", 3, 20)
    with pytest.raises(ContractError, match="no quantity 'speed'"):
        record(Idle(3), task, data_sheet(task.bundle, "ur5e"), 1, SEED, ["speed"])
