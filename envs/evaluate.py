"""Score a policy: fixed seeds, all episodes side by side, an interval with every number.

What a score is compared with, and what follows, is left to who asked: the hub's gate, the demo.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, product
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop, fresh_workshop
from skills.errors import ContractError
from skills.messages.leaderboards import Draw
from skills.player import Player

__all__ = [
    "Evaluation",
    "evaluate",
    "evaluate_held_out",
    "evaluate_many",
    "pool",
    "run_episodes",
    "wilson_interval",
]

NORMAL_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Evaluation:
    """Share of successful episodes with its 95 % interval, and the mean sum of rewards where it is known.

    `each` says of every episode, in the order of the jobs, whether it succeeded, where that is known.
    """

    score: float
    low: float
    high: float
    episodes: int
    successes: int
    mean_return: float | None = None
    each: tuple[bool, ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def count(cls, successes: int, episodes: int, mean_return: float | None = None) -> Evaluation:
        """The evaluation that this many successes are."""
        low, high = wilson_interval(successes, episodes)
        return cls(successes / episodes, low, high, episodes, successes, mean_return)


def evaluate(policy: Player, task: Task, workshop: Workshop, episodes: int, seed: int) -> Evaluation:
    """Run `episodes` jobs of one workshop at once; the same seed means the same jobs for every policy.

    Raises:
        ContractError: No episodes were asked for, or the policy's actions do not fit the task.
    """
    if episodes < 1:
        raise ContractError(f"{episodes} episodes.", where="episodes", remedy="Ask for at least one.")
    success, returns = run_episodes(policy, make_vector_env(task, workshop, episodes, seed))
    found = Evaluation.count(int(success.sum()), episodes, float(returns.mean()))
    return replace(found, each=tuple(success.tolist()))


def run_episodes(
    policy: Player,
    env: VectorEnv[Any, Any, Any],
    watch: Callable[[NDArray[np.bool_]], None] = lambda _running: None,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """One episode in each copy: whether it succeeded, and its sum of rewards, (copies,).

    An episode in which something is sensed or rewarded that is no finite number ends there, without success.

    Args:
        policy: Acts.
        env: Just made; its first reset begins the episodes.
        watch: Called after each step with which copies (copies,) were still running in it.

    Raises:
        ContractError: The policy's actions do not fit.
    """
    policy = policy.begin()
    observations, infos = env.reset()
    told = getattr(policy, "told", False)
    success = np.zeros(env.num_envs, dtype=np.bool_)
    sensed = np.isfinite(observations).all(axis=1)
    running = sensed.copy()
    returns = np.zeros(env.num_envs)
    while running.any():
        seen = np.where(sensed[:, None], observations, 0)
        actions = policy.act(np.hstack([seen, infos["twin"]]) if told else seen)
        _check_actions(actions, env.action_space.shape)
        observations, reward, failed, ended, infos = env.step(actions)
        watch(running)
        sensed = np.isfinite(observations).all(axis=1)
        running &= sensed & np.isfinite(reward)
        returns += np.where(running, reward, 0.0)
        if "success" in infos:
            success |= running & infos["success"]
            running &= ~(failed | ended)
    return success, returns


def evaluate_many(
    policy: Player, task: Task, workshops: Sequence[Workshop], episodes: int, seed: int
) -> tuple[Evaluation, ...]:
    """One evaluation of `episodes` jobs per workshop, in their order; each has its own jobs."""
    seeds = np.random.SeedSequence(seed).generate_state(len(workshops))
    return tuple(
        evaluate(policy, task, workshop, episodes, int(own))
        for workshop, own in zip(workshops, seeds, strict=True)
    )


def evaluate_held_out(
    policy: Player,
    task: Task,
    draws: Sequence[Draw],
    embodiments: Sequence[str] = (),
    score: Callable[[Player, Task, Workshop, int, int], Evaluation] = evaluate,
    tell: Callable[[int], None] = lambda _episodes: None,
) -> dict[str, Evaluation]:
    """Scores by embodiment in workshops that nobody trained in: gates, leaderboards and trials alike.

    Args:
        policy: Acts, in several threads at once.
        task: The task.
        draws: Workshops and jobs.
        embodiments: Of those that the task admits; all if none are named.
        score: Scores one workshop.
        tell: Told how many episodes have come to their end, from several threads.
    """
    robots = tuple(embodiments or task.file.embodiments)
    places = list(product(robots, draws))

    def run(place: tuple[str, Draw]) -> Evaluation:
        robot, draw = place
        workshop = fresh_workshop(task.file, robot, draw.workshop, held_out=True)
        found = score(policy, task, workshop, draw.episodes, draw.jobs)
        tell(draw.episodes)
        return found

    # The physics runs outside Python's lock: workshops side by side, each as if it were alone.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(threads.map(run, places))
    return {
        robot: pool(each for (own, _), each in zip(places, found, strict=True) if own == robot)
        for robot in robots
    }


def pool(evaluations: Iterable[Evaluation]) -> Evaluation:
    """Several evaluations as one, every episode counting the same."""
    found = list(evaluations)
    episodes = sum(each.episodes for each in found)
    totals = [each.mean_return * each.episodes for each in found if each.mean_return is not None]
    mean_return = sum(totals) / episodes if len(totals) == len(found) else None
    counted = Evaluation.count(sum(each.successes for each in found), episodes, mean_return)
    return replace(counted, each=tuple(chain.from_iterable(each.each for each in found)))


def wilson_interval(successes: int, episodes: int) -> tuple[float, float]:
    """95 % score interval of a proportion (Wilson 1927): honest near 0 and 1 and for few episodes."""
    share, z2 = successes / episodes, NORMAL_95**2
    centre = (share + z2 / (2 * episodes)) / (1 + z2 / episodes)
    spread = np.sqrt(share * (1 - share) / episodes + z2 / (4 * episodes**2))
    half = NORMAL_95 * float(spread) / (1 + z2 / episodes)
    # At the ends the formula gives exactly 0 and 1, but not in floating point.
    return (max(0.0, centre - half) if successes else 0.0, min(1.0, centre + half) if share < 1 else 1.0)


def _check_actions(actions: NDArray[Any], shape: tuple[int, ...] | None) -> None:
    if np.shape(actions) != shape or not np.isfinite(actions).all():
        raise ContractError(
            f"the policy answered {np.shape(actions)} instead of {shape} numbers, or some are not finite.",
            where="policy.act",
            remedy="Compare the policy's network with the task's action channels.",
        )
