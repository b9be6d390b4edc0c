from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.causes import Episodes, causes_of, draws_for_causes, measured
from envs.evaluate import wilson_interval
from envs.figures import Figures
from envs.scripted import controllers
from envs.task import load_task
from envs.workshop import fresh_workshop

TRIALS = 100
TASK = load_task("weld-seam")
Table = dict[str, NDArray[np.float64] | NDArray[np.str_]]


@cache
def drawn(seed: int) -> Table:
    """Figures as an explanation would meet them, without the physics."""
    rows: list[dict[str, NDArray[np.float64]]] = []
    arms: list[str] = []
    for arm in TASK.file.embodiments:
        for draw in draws_for_causes(seed):
            figures = Figures(TASK.bundle, fresh_workshop(TASK.bundle, arm, draw.workshop), draw.episodes)
            figures.draw(np.arange(draw.episodes), np.random.default_rng(draw.jobs))
            rows.append(figures.now())
            arms += [arm] * draw.episodes
    table: Table = {"embodiment": np.array(arms)}
    for name in rows[0]:
        values = np.concatenate([row[name] for row in rows])
        for place in range(values.shape[1]):
            table[f"{name} {place + 1}" if values.shape[1] > 1 else name] = values[:, place]
    return table


def planted(table: Table, fails: NDArray[np.bool_], seed: int) -> Episodes:
    """Episodes that end well nine times in ten, and where the cause is at work three times in ten."""
    chance = np.where(fails, 0.3, 0.9)
    return Episodes(np.random.default_rng(seed).random(len(fails)) < chance, table, {})


def greatest(column: NDArray[np.float64] | NDArray[np.str_]) -> NDArray[np.bool_]:
    return np.asarray(column == np.unique(column)[-1])


def upper(column: NDArray[np.float64] | NDArray[np.str_]) -> NDArray[np.bool_]:
    numbers = column.astype(np.float64)
    return np.asarray(numbers > np.percentile(numbers, 60))


@pytest.mark.parametrize(
    ("figure", "fails"),
    [
        ("delay", greatest),
        pytest.param("embodiment", greatest, marks=pytest.mark.thorough),
        pytest.param("payload", upper, marks=pytest.mark.thorough),
    ],
)
def test_a_planted_cause_comes_first(
    figure: str, fails: Callable[[NDArray[np.float64] | NDArray[np.str_]], NDArray[np.bool_]]
) -> None:
    first = 0
    for trial in range(TRIALS):
        table = drawn(1000 * trial)
        found = causes_of(planted(table, fails(table[figure]), trial))
        first += found[0].figure == figure
        assert found[0].low <= found[0].effect <= found[0].high
    assert first >= 95


def test_what_has_no_cause_is_not_explained_away() -> None:
    sure = 0
    for trial in range(TRIALS):
        table = drawn(1000 * trial)
        nothing = np.zeros(len(table["embodiment"]), dtype=np.bool_)
        sure += any(cause.chance < 0.05 for cause in causes_of(planted(table, nothing, trial)))
    assert sure <= 10


def test_episodes_are_measured_with_their_figures_and_the_same_again() -> None:
    draws = draws_for_causes(5, workshops=2, episodes=8)
    player = next(iter(controllers(TASK).values()))
    began = time.process_time()
    one, two = (measured(player, TASK, draws, ("ur5e", "panda")) for _ in range(2))
    assert time.process_time() - began < 60
    assert len(one.success) == 2 * 2 * 8
    assert set(one.figures["embodiment"]) == {"ur5e", "panda"}
    assert {"delay", "payload"} <= set(one.figures)
    for name, column in one.figures.items():
        np.testing.assert_array_equal(column, two.figures[name])
    np.testing.assert_array_equal(one.success, two.success)


def test_the_interval_is_newcombe_s() -> None:
    """Newcombe 1998, table II, (a): 56/70 - 48/80, method 10: .0524 to .3339."""
    success = np.array([True] * 48 + [False] * 32 + [True] * 56 + [False] * 14)
    place = np.array([1.0] * 80 + [0.0] * 70)
    (cause,) = causes_of(Episodes(success, {"place": place}, {}))
    assert cause.where == "is 1"
    assert (round(cause.low, 4), round(cause.high, 4)) == (0.0524, 0.3339)
    assert wilson_interval(0, 10)[0] == 0


def test_parts_of_a_figure_hold_each_episode_once_in_order() -> None:
    rng = np.random.default_rng(3)
    table: Table = {"friction": rng.random(400), "delay": rng.choice([0.0, 1.0, 2.0], 400)}
    episodes = Episodes(rng.random(400) < 0.2 + 0.7 * (table["friction"].astype(np.float64) < 0.5), table, {})
    found = {cause.figure: cause for cause in causes_of(episodes)}
    assert causes_of(episodes)[0].figure == "friction"
    for cause in found.values():
        assert sum(part.episodes for part in cause.parts) == 400
        assert all(part.low <= part.success <= part.high for part in cause.parts)
    assert len(found["friction"].parts) == 8
    starts = [float(part.where.split(" to ")[0]) for part in found["friction"].parts]
    assert starts == sorted(starts)
    assert found["friction"].parts[0].success > found["friction"].parts[-1].success
    if "delay" in found:
        assert [part.where for part in found["delay"].parts] == ["0", "1", "2"]
