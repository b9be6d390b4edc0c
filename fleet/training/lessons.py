"""Lessons: the robot works, a teacher works, and for each step it is noted what the teacher would have done.

Who acts is drawn when a job begins, not at each step: a real robot is not to be torn between two minds. What
is learned from lessons is left to `fleet.training.imitation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from fleet.networks.base import TorchNetwork
from fleet.training.sampler import Rollout, Sampler
from skills.errors import ContractError
from skills.player import Player

__all__ = ["LessonSampler"]

Array = NDArray[Any]


class LessonSampler(Sampler):
    """Collects lessons, from where it left off.

    Args:
        env: See `Sampler`.
        network: The one who learns.
        seed: See `Sampler`.
        teacher: Acts in its share of the jobs, and is asked in all of them; its memory runs along.
        noise: Standard deviation of what is added to whoever acts.

    Attributes:
        share: Of the jobs that begin, how many the teacher does.
        labels: What the teacher would have done in the last rollout (steps, envs, k), within [-1, 1].
    """

    def __init__(
        self,
        env: VectorEnv[Any, Any, Any],
        network: TorchNetwork,
        seed: int,
        teacher: Player,
        noise: float,
    ) -> None:
        super().__init__(env, network, seed)
        self._teacher, self._noise = teacher, noise
        # One for each environment: jobs end at different times, and a teacher's memory is of one job.
        self._players = [teacher] * env.num_envs
        self._teaches = np.zeros(env.num_envs, dtype=bool)
        self._noted: list[Array] = []
        self.share = 0.0

    @property
    def labels(self) -> Array:
        """See the class."""
        return np.stack(self._noted)

    def collect(self, steps: int) -> Rollout:
        """See `Sampler.collect`.

        Raises:
            ContractError: Also where the teacher's actions do not fit the environment.
        """
        self._noted = []
        return super().collect(steps)

    def _draw(self, observation: Array, mean: Tensor) -> Array:
        for env in np.flatnonzero(self.begins):
            self._players[env] = self._teacher.begin()
            self._teaches[env] = torch.rand(()).item() < self.share
        told = self._ask(observation, tuple(mean.shape))
        self._noted.append(told)
        wanted = np.where(self._teaches[:, None], told, np.clip(mean.numpy(), -1, 1))
        drawn: Array = wanted + self._noise * torch.randn(mean.shape).numpy()
        return drawn

    def _ask(self, observation: Array, shape: tuple[int, ...]) -> Array:
        answers = [player.act(row[None]) for player, row in zip(self._players, observation, strict=True)]
        told = np.concatenate(answers).astype(np.float32)
        if told.shape != shape or not np.isfinite(told).all():
            raise ContractError(
                f"the teacher answered {told.shape} instead of {shape} numbers, or some are not finite.",
                where="teacher.act",
                remedy="Choose a teacher for this task.",
            )
        return np.clip(told, -1, 1)
