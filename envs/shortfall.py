"""Why a policy does not succeed, condition by condition: what was reached, and what is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import Player, run_episodes
from envs.format import Condition
from envs.task import Task
from envs.values import Floats
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop

__all__ = ["shortfall"]


def shortfall(
    policy: Player, task: Task, workshop: Workshop, episodes: int, seed: int
) -> tuple[list[str], str]:
    """A sentence for each condition of success that is missed, and each failure; and the worst in words."""
    env = TaskVectorEnv(task, workshop, episodes, seed)
    success, failure = task.bundle.success, task.bundle.failure
    steps, ends, failures = (_Watched(env, each) for each in (success.steps, success.end, failure))
    number = 0

    def watch(running: NDArray[np.bool_]) -> None:
        nonlocal number
        number += 1
        for each in (steps, ends, failures):
            each.look(running, counts=number > success.grace)

    run_episodes(policy, env, watch)
    counted = max(task.horizon - success.grace, 1)
    missed: list[tuple[float, str, str]] = []
    for place, condition in enumerate(success.steps):
        share, value = float(steps.held[:, place].mean()) / counted, float(np.median(steps.last[:, place]))
        said = f"In the steps {condition.words} holds in {share:.0%}; {success.share:.0%} are asked for"
        missed.append((share / success.share, f"{said} (at the end it is {value:.3g}).", condition.words))
    for place, condition in enumerate(success.end):
        share, value = float(ends.now[:, place].mean()), float(np.median(ends.last[:, place]))
        said = f"At the end {condition.words} holds in {share:.0%} of the episodes"
        missed.append((share, f"{said} (half of them reach {value:.3g}).", condition.words))
    for place, condition in enumerate(failure):
        share = float(failures.now[:, place].mean())
        said = f"{condition.words} ends {share:.0%} of the episodes as failures."
        missed.append((1.0 - share, said, condition.words))
    missed = sorted(each for each in missed if each[0] < 1.0)
    if not missed:
        return ["Each condition holds often enough, but not all at once."], "a bound"
    return [said for _, said, _ in missed], missed[0][2]


class _Watched:
    """Some conditions: how often each held (episodes, conditions), whether it did last; its last value."""

    def __init__(self, env: TaskVectorEnv, conditions: Sequence[Condition]) -> None:
        self._read = env.quantities.lengths(each.of for each in conditions).read
        self._low, self._high = np.array([each.bounds for each in conditions]).reshape(-1, 2).T
        shape = (env.num_envs, len(conditions))
        self.held, self.now, self.last = np.zeros(shape), np.zeros(shape, np.bool_), np.zeros(shape)

    def look(self, running: NDArray[np.bool_], *, counts: bool) -> None:
        """After a step of the copies (episodes,) that were still running in it."""
        values: Floats = self._read()[running]
        self.last[running] = values
        self.now[running] = good = (values > self._low) & (values < self._high)
        if counts:
            self.held[running] += good
