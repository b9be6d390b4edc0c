"""A cell's own time: it passes whoever commands, and a cell that nobody commands stands still."""

from __future__ import annotations

import numpy as np
import pytest

from fleet.cell.cell import BEHIND, WATCHDOG, Cell
from tests.fleet.cells import Line
from tests.fleet.runtime.robots import CONTRACT, PERIOD

ACTION = np.array([0.5])


@pytest.fixture
def env() -> Line:
    return Line(length=20)


def test_time_passes_by_whole_periods_and_observations_grow_old_meanwhile(env: Line) -> None:
    cell = Cell(env, CONTRACT)
    cell.observe()
    cell.command(ACTION)
    cell.run_until(2.5 * PERIOD)
    assert env.told == [0.5, 0.5]
    assert cell.observe().age == pytest.approx(0.5 * PERIOD)


def test_nobody_commands_and_it_stands_still(env: Line) -> None:
    cell = Cell(env, CONTRACT)
    cell.observe()
    cell.command(ACTION)
    for period in range(1, 11):
        cell.run_until(period * PERIOD)
    assert env.told == [0.5] * WATCHDOG + [0.0] * (10 - WATCHDOG)


def test_time_that_it_lost_is_not_made_up_for(env: Line) -> None:
    cell = Cell(env, CONTRACT)
    cell.observe()
    cell.run_until(1000.0)
    assert len(env.told) == BEHIND
    assert cell.observe().age < PERIOD * 1.01


def test_a_job_begins_with_the_first_look_and_its_end_is_seen_once(env: Line) -> None:
    cell = Cell(env, CONTRACT)
    cell.run_until(1.0)
    assert env.told == []
    seen = [cell.observe()]
    for _ in range(22):
        cell.command(ACTION)
        cell.pass_period()
        seen.append(cell.observe())
    assert [each.over for each in seen].index(True) == 20
    assert (seen[20].success, seen[21].over, env.resets) == (True, False, 2)
