"""Lessons out of a recording: episodes that somebody did on this robot, in a new order each time.

Beside `fleet.training.lessons`, where a teacher is there to ask. Nothing is stepped: what the robot itself
would do, and where that would lead, a recording cannot tell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from fleet.episodes import Episode, Episodes
from fleet.networks.base import TorchNetwork
from fleet.training.sampler import Rollout, Sampler

__all__ = ["RecordedSampler"]

Array = NDArray[Any]


class RecordedSampler(Sampler):
    """Gives episodes of a recording as rollouts, side by side.

    Args:
        env: See `Sampler`; it is not stepped.
        network: The one who learns.
        seed: Of the order of the episodes.
        recording: Of this task, at least one episode.

    Attributes:
        labels: The actions of the last rollout (steps, episodes, k).
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], network: TorchNetwork, seed: int, recording: Episodes
    ) -> None:
        super().__init__(env, network, seed)
        self._recording = recording
        self._rng = np.random.default_rng(seed)
        self.labels: Array = np.zeros(0, np.float32)

    @torch.no_grad()
    def collect(self, steps: int) -> Rollout:
        """So many steps or a few more in whole episodes, each at most once."""
        self.on_step()
        chosen = self._draw_episodes(steps)
        rollout = _side_by_side(chosen, self._network.memory_size)
        memory = torch.from_numpy(rollout.memories[0])
        for step in range(len(rollout.real)):
            rollout.memories[step] = memory.numpy()
            _, memory = self._network.step(torch.from_numpy(rollout.observations[step]), memory)
        self.labels = rollout.actions
        self.returns = [float(each.rewards.sum()) for each in chosen]
        self.successes = [each.success for each in chosen if each.success is not None]
        return rollout

    def leave(self) -> None:
        """Nothing is under way between two rollouts."""

    def _draw_episodes(self, steps: int) -> list[Episode]:
        chosen: list[Episode] = []
        for number in self._rng.permutation(len(self._recording.episodes)):
            if sum(len(each.rewards) for each in chosen) >= steps:
                break
            chosen.append(self._recording.episodes[number])
        return chosen


def _side_by_side(episodes: list[Episode], memory_size: int) -> Rollout:
    """One column an episode, (steps, episodes, ...); behind its end nothing is real."""
    length, count = max(len(each.rewards) for each in episodes), len(episodes)
    inputs, outputs = episodes[0].observations.shape[1], episodes[0].actions.shape[1]
    observations = np.zeros((length + 1, count, inputs), np.float32)
    actions, rewards = np.zeros((length, count, outputs), np.float32), np.zeros((length, count), np.float32)
    real, terminated, truncated = (np.zeros((length, count), bool) for _ in range(3))
    for column, each in enumerate(episodes):
        end = len(each.rewards)
        observations[:end, column], actions[:end, column] = each.observations, each.actions
        rewards[:end, column], real[:end, column] = each.rewards, True
        terminated[end - 1, column], truncated[end - 1, column] = each.terminated, not each.terminated
    return Rollout(
        observations=observations,
        memories=np.zeros((length + 1, count, memory_size), np.float32),
        truths=np.zeros((length + 1, count, 0), np.float32),
        actions=actions,
        log_probabilities=np.zeros((length, count), np.float32),
        rewards=rewards,
        terminated=terminated,
        truncated=truncated,
        real=real,
    )
