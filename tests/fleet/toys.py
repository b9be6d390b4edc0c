"""Small environments in plain numpy: a point that is pushed to the origin, many at once or one."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

OBSERVATION, ACTION, HORIZON = 5, 2, 20

Array = NDArray[Any]


class PointCopies(VectorEnv[Array, Array, Array]):
    """Each step moves the point by .2 * action; every third episode ends half-way, as a termination.

    The last observed number counts the steps of the episode, the one before it the episodes.
    """

    def __init__(self, copies: int, seed: int, mode: AutoresetMode = AutoresetMode.NEXT_STEP) -> None:
        self.metadata = {"autoreset_mode": mode}
        self.num_envs = copies
        self.single_observation_space = Box(-np.inf, np.inf, (OBSERVATION,), np.float32)
        self.single_action_space = Box(-1, 1, (ACTION,), np.float32)
        self.observation_space = batch_space(self.single_observation_space, copies)
        self.action_space = batch_space(self.single_action_space, copies)
        self.random = np.random.default_rng(seed)
        self.state = np.zeros((copies, OBSERVATION), np.float32)
        self.state[:, -2] = np.arange(copies)
        self.over = np.zeros(copies, bool)
        self.poison: float | None = None

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,  # noqa: ARG002 - Gymnasium's signature
    ) -> tuple[Array, dict[str, Any]]:
        if seed is not None:
            self.random = np.random.default_rng(seed)  # type: ignore[arg-type]
        self._start(np.ones(self.num_envs, bool))
        return self.state.copy(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        if not ((actions >= -1) & (actions <= 1)).all():
            raise ValueError("an action outside the box")
        fresh, self.over = self.over, np.zeros(self.num_envs, bool)
        self.state[:, :ACTION] += 0.2 * actions
        self.state[:, -1] += 1
        self._start(fresh)
        reward = -np.square(self.state[:, :ACTION]).sum(axis=1).astype(float)
        reward[fresh] = 1000.0  # a reward of the reset itself, which nobody may learn from
        terminated = (self.state[:, -2] % 3 == 2) & (self.state[:, -1] == HORIZON // 2) & ~fresh
        truncated = (self.state[:, -1] == HORIZON) & ~fresh
        self.over = terminated | truncated
        infos = {"success": truncated, "_success": self.over} if self.over.any() else {}
        if self.poison is not None:
            self.state[0, 0] = self.poison
        return self.state.copy(), reward, terminated, truncated, infos

    def _start(self, copies: Array) -> None:
        self.state[copies, :3] = self.random.uniform(-1, 1, (int(copies.sum()), 3))
        self.state[copies, -2] += 1
        self.state[copies, -1] = 0


class KnownPoints(PointCopies):
    """Where the points are, only the twin knows."""

    twin_size = 2

    def reset(self, **options: Any) -> tuple[Array, dict[str, Any]]:
        observation, infos = super().reset(**options)
        return observation, infos | {"twin": observation[:, :2].copy()}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        observation, reward, terminated, truncated, infos = super().step(actions)
        known = infos | {"twin": observation[:, :2].copy()}
        return observation, reward, terminated, truncated, known


class Point(gym.Env[Array, Array]):
    """One point, as a real robot's environment would be."""

    def __init__(self, seed: int, observation: int = OBSERVATION) -> None:
        self.observation_space = Box(-np.inf, np.inf, (observation,), np.float32)
        self.action_space = Box(-1, 1, (ACTION,), np.float32)
        self.copies = PointCopies(1, seed)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        observation, _ = self.copies.reset(seed=seed, options=options)
        return observation[0], {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.copies.over[:] = False
        observation, reward, terminated, truncated, infos = self.copies.step(action[None])
        info = {"success": bool(infos["success"][0])} if infos else {}
        return observation[0], float(reward[0]), bool(terminated[0]), bool(truncated[0]), info
