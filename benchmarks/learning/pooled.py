"""Several workshops' simulations as one environment: what a learner with everybody's data would have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop
from fleet.twin import PARALLEL

__all__ = ["Pooled", "pooled_env"]

Array = NDArray[Any]


class Pooled(VectorEnv[Array, Array, Array]):
    """The copies of all parts side by side, in their order; each part resets itself on its next step."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = list(parts)
        first = self._parts[0]
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.num_envs = sum(part.num_envs for part in self._parts)
        self.single_observation_space = first.single_observation_space
        self.single_action_space = first.single_action_space
        self.observation_space = batch_space(first.single_observation_space, self.num_envs)
        self.action_space = batch_space(first.single_action_space, self.num_envs)
        self.horizon: int = first.horizon
        self.twin_size: int = getattr(first, "twin_size", 0)
        self._ends = np.cumsum([part.num_envs for part in self._parts])[:-1]

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Begin all; each part has a seed of its own."""
        seeds = [None if seed is None else int(seed) + number for number in range(len(self._parts))]  # type: ignore[arg-type]
        found = [part.reset(seed=own, options=options) for part, own in zip(self._parts, seeds, strict=True)]
        return np.concatenate([each for each, _ in found]), self._infos([infos for _, infos in found])

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step all."""
        cut = np.split(actions, self._ends)
        found = [part.step(own) for part, own in zip(self._parts, cut, strict=True)]
        columns = [np.concatenate(column) for column in zip(*(each[:4] for each in found), strict=True)]
        observation, reward, terminated, truncated = columns
        return observation, reward, terminated, truncated, self._infos([each[4] for each in found])

    def close(self, **options: Any) -> None:
        """Close all."""
        for part in self._parts:
            part.close(**options)

    def _infos(self, all_infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What several parts say; of those that say nothing, zeros."""
        names = {name for infos in all_infos for name in infos}
        return {
            name: np.concatenate(
                [
                    infos.get(name, np.zeros(part.num_envs, bool))
                    for infos, part in zip(all_infos, self._parts, strict=True)
                ]
            )
            for name in names
        }


def pooled_env(task: Task, homes: Sequence[Workshop], seed: int) -> Pooled:
    """All robots' simulations, as many copies of each as a robot has."""
    return Pooled([make_vector_env(task, home, PARALLEL, seed + number) for number, home in enumerate(homes)])
