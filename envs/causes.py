"""Which hidden figures go with failure: episodes on many held-out robots, and a ranking of what divides them.

Each figure divides the episodes in two in a few ways: one value against the others, or below and above a
quartile. Of each figure the division counts that a test of two proportions is surest of. That something goes
with failure does not prove that it causes it; figures of robots differ by robot, not by episode.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import run_episodes, wilson_interval
from envs.format import TaskFile
from envs.task import Task
from envs.values import Floats
from envs.vector import TaskVectorEnv
from envs.workshop import fresh_workshop
from envs.wrapped import WrappedFile
from skills.errors import ContractError
from skills.messages.causes import Cause, Part
from skills.messages.leaderboards import Draw
from skills.player import Player

__all__ = ["Episodes", "causes_of", "draws_for_causes", "measured"]

FEW = 8
"""So many values of a figure are looked at one by one."""
QUARTILES = (25, 50, 75)
LEAST = 8
"""Episodes on either side of a division."""


@dataclass(frozen=True)
class Episodes:
    """Episodes with what nobody told the policy.

    Attributes:
        success: Of each, (episodes,).
        figures: By name, (episodes,): numbers, or words.
        units: By name, where it has one.
    """

    success: NDArray[np.bool_]
    figures: Mapping[str, NDArray[np.float64] | NDArray[np.str_]]
    units: Mapping[str, str]


def draws_for_causes(seed: int, workshops: int = 16, episodes: int = 8) -> tuple[Draw, ...]:
    """Many robots with few jobs each, for what differs between robots has to differ often."""
    jobs = np.random.SeedSequence(seed).generate_state(workshops).tolist()
    return tuple(Draw(workshop=seed + i, jobs=own, episodes=episodes) for i, own in enumerate(jobs))


def measured(policy: Player, task: Task, draws: Sequence[Draw], embodiments: Sequence[str] = ()) -> Episodes:
    """Run the draws' episodes on each embodiment, and keep the figures of each.

    Raises:
        ContractError: The task wraps somebody's environment, whose figures nobody knows.
    """
    file = task.file
    if isinstance(file, WrappedFile):
        raise ContractError(
            f"{task.name} is a wrapped environment, whose figures nobody knows.",
            where="task",
            remedy="Explain a skill of a task that is a bundle.",
        )
    robots = tuple(embodiments or file.embodiments)

    def run(place: tuple[str, Draw]) -> tuple[NDArray[np.bool_], dict[str, Floats]]:
        robot, draw = place
        workshop = fresh_workshop(file, robot, draw.workshop, held_out=True)
        env = TaskVectorEnv(task, workshop, draw.episodes, draw.jobs)
        kept: dict[str, Floats] = {}

        def watch(_running: NDArray[np.bool_]) -> None:
            if not kept:  # after the first step no job has been replaced yet
                kept.update(env.figures())

        return run_episodes(policy, env, watch)[0], kept

    places = list(product(robots, draws))
    with ThreadPoolExecutor() as threads:
        found = list(threads.map(run, places))
    arms = np.concatenate([[robot] * draw.episodes for robot, draw in places])
    table = _columns(file, [kept for _, kept in found])
    success = np.concatenate([success for success, _ in found])
    units = {name: variation.unit for name, variation in {**file.robots, **file.jobs}.items()}
    return Episodes(success, {"embodiment": arms, **table}, units)


def _columns(
    file: TaskFile, kept: Sequence[Mapping[str, Floats]]
) -> dict[str, NDArray[np.float64] | NDArray[np.str_]]:
    found: dict[str, NDArray[np.float64] | NDArray[np.str_]] = {}
    for name in kept[0]:
        values = np.concatenate([each[name] for each in kept])
        words = _words(file, name)
        for place in range(values.shape[1]):
            label = name if values.shape[1] == 1 else f"{name} {place + 1}"
            column = values[:, place]
            found[label] = np.array([words[int(value)] for value in column]) if words else column
    return found


def _words(file: TaskFile, name: str) -> tuple[str, ...]:
    variation = file.jobs.get(name)
    if variation is None:
        return ()
    values = (*variation.values, *(variation.held_out.values if variation.held_out else ()))
    return tuple(str(value) for value in values) if values and isinstance(values[0], str) else ()


def causes_of(episodes: Episodes) -> tuple[Cause, ...]:
    """Figures that go with failure, the surest first; of each its surest division."""
    divisions = [
        (name, where, inside)
        for name, column in episodes.figures.items()
        for where, inside in _divisions(column)
        if min(inside.sum(), (~inside).sum()) >= LEAST
    ]
    parts = {name: _parts(episodes, name) for name in {name for name, _, _ in divisions}}
    best: dict[str, tuple[float, Cause]] = {}
    for name, where, inside in divisions:
        unit = episodes.units.get(name.split(" ")[0], "")
        sure, facts = _division(episodes.success, inside, len(divisions))
        cause = Cause(figure=name, where=where, unit=unit, parts=parts[name], **facts)
        if cause.effect > 0 and (name not in best or sure > best[name][0]):
            best[name] = (sure, cause)
    return tuple(cause for _, cause in sorted(best.values(), key=lambda each: -each[0]))


def _parts(episodes: Episodes, figure: str) -> tuple[Part, ...]:
    """Success over a figure: value by value where there are few, else in parts of as many episodes each."""
    column = episodes.figures[figure]
    values = np.unique(column)
    if column.dtype.kind == "U":
        return tuple(_part(str(value), episodes.success[column == value]) for value in values)
    if len(values) <= FEW:
        return tuple(_part(format(value, "g"), episodes.success[column == value]) for value in values)
    edges = np.unique(np.percentile(column.astype(np.float64), np.linspace(0, 100, FEW + 1)))
    places = np.clip(np.searchsorted(edges, column, side="right"), 1, len(edges) - 1)
    return tuple(
        _part(f"{edges[place - 1]:.3g} to {edges[place]:.3g}", episodes.success[places == place])
        for place in np.unique(places)
    )


def _part(where: str, success: NDArray[np.bool_]) -> Part:
    low, high = wilson_interval(int(success.sum()), len(success))
    return Part(where=where, episodes=len(success), success=float(success.mean()), low=low, high=high)


def _divisions(
    column: NDArray[np.float64] | NDArray[np.str_],
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    values = np.unique(column)
    if len(values) < 2:
        return
    if len(values) <= FEW or column.dtype.kind == "U":
        for value in values:
            yield f"is {value if column.dtype.kind == 'U' else format(value, 'g')}", column == value
    if column.dtype.kind == "U":
        return
    edges = values[1:-1] if len(values) <= FEW else np.percentile(column.astype(np.float64), QUARTILES)
    for edge in np.unique(edges):
        yield f"above {edge:.3g}", column > edge
        yield f"at most {edge:.3g}", column <= edge


def _division(
    success: NDArray[np.bool_], inside: NDArray[np.bool_], looked_at: int
) -> tuple[float, dict[str, Any]]:
    """How sure a test is that those inside fail more, and what `Cause` says of them."""
    here, there = int(inside.sum()), int((~inside).sum())
    good, rest = int(success[inside].sum()), int(success[~inside].sum())
    mine, theirs = good / here, rest / there
    pooled = (good + rest) / (here + there)
    spread = math.sqrt(max(pooled * (1 - pooled) * (1 / here + 1 / there), 1e-12))
    sure = (theirs - mine) / spread
    low, high = _newcombe(rest, there, good, here)
    return sure, {
        "episodes": here,
        "success": mine,
        "elsewhere": theirs,
        "effect": theirs - mine,
        "low": low,
        "high": high,
        "chance": min(1.0, math.erfc(abs(sure) / math.sqrt(2)) * looked_at),
    }


def _newcombe(more: int, of_more: int, less: int, of_less: int) -> tuple[float, float]:
    """95 % interval of a difference of two proportions (Newcombe 1998, method 10)."""
    first, second = more / of_more, less / of_less
    (low_1, high_1), (low_2, high_2) = wilson_interval(more, of_more), wilson_interval(less, of_less)
    difference = first - second
    return (
        difference - math.hypot(first - low_1, high_2 - second),
        difference + math.hypot(high_1 - first, second - low_2),
    )
