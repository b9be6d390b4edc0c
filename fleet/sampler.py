"""RLlib's environment runner for vectorised robots: whole batches in, episode chunks out.

RLlib's own runner hands each environment's each step to a chain of connectors, which takes two
thirds of its time (docs/adr/0005). A skill's observation needs no connector: its scale is fixed by the
task. What is learned from the chunks is left to `fleet.learner`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from ray.rllib.core.columns import Columns
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.env.single_agent_episode import SingleAgentEpisode

from fleet.learner import log_probability
from skills.container import check_finite
from skills.errors import ContractError

__all__ = ["MakeEnv", "Sampler", "vectorise"]

MakeEnv = Callable[[int], gym.Env[Any, Any] | VectorEnv[Any, Any, Any]]
"""A seed becomes one environment, or many at once."""

Array = NDArray[Any]


@dataclass
class _Rollout:
    """Steps of all environments, time first; `observations` has one row more than the rest."""

    observations: Array
    actions: Array
    inputs: Array  # of the action's distribution: means, then log deviations
    log_probabilities: Array
    rewards: Array
    terminated: Array
    truncated: Array
    real: Array  # False where the environment only reset itself and ignored the action


class Sampler(SingleAgentEnvRunner):  # type: ignore[misc]
    """Collects on-policy experience; build it with `env_config={"make_env": MakeEnv, "seed": int}`.

    Attributes:
        on_step: Called before each step; what it raises ends the sampling.
    """

    def make_env(self) -> None:
        """Build the environments of `env_config`."""
        options = self.config.env_config
        self.env: Any = vectorise(options["make_env"](options["seed"]))
        self.num_envs = self.env.num_envs
        self._seed = options["seed"]
        self._observation: Array | None = None
        self._resetting = np.zeros(self.num_envs, dtype=bool)
        self._returns = np.zeros(self.num_envs)
        self.on_step: Callable[[], None] = lambda: None
        self.finished_returns: list[float] = []
        self.finished_successes: list[bool] = []

    def sample(self, *, num_timesteps: int, **_: Any) -> list[SingleAgentEpisode]:
        """Step all environments `ceil(num_timesteps / num_envs)` times with exploration.

        Returns:
            Chunks without a gap, each from one episode; steps in which an environment only reset
            itself are left out, so there are a few less than `num_timesteps`.
        """
        self.finished_returns, self.finished_successes = [], []
        rollout = self._collect(-(-num_timesteps // self.num_envs))
        return [chunk for column in range(self.num_envs) for chunk in _chunks(rollout, column)]

    def _collect(self, length: int) -> _Rollout:
        if self._observation is None:
            self._observation, _ = self.env.reset(seed=self._seed)
        box = self.env.single_action_space
        rollout = _allocate(length, self.num_envs, *self.env.single_observation_space.shape, *box.shape)
        for step in range(length):
            self.on_step()
            rollout.observations[step] = _finite(self._observation, "observation")
            action = self._act(rollout, step)
            self._observation, reward, terminated, truncated, infos = self.env.step(
                np.clip(action, box.low, box.high)
            )
            rollout.rewards[step], rollout.real[step] = _finite(reward, "reward"), ~self._resetting
            rollout.terminated[step], rollout.truncated[step] = terminated, truncated
            self._book(reward, terminated | truncated, infos)
        rollout.observations[length] = _finite(self._observation, "observation")
        rollout.log_probabilities = log_probability(
            torch.from_numpy(rollout.inputs), torch.from_numpy(rollout.actions)
        ).numpy()
        return rollout

    def _act(self, rollout: _Rollout, step: int) -> Array:
        observation = torch.from_numpy(rollout.observations[step])
        inputs = self.module.forward_exploration({Columns.OBS: observation})[Columns.ACTION_DIST_INPUTS]
        mean, log_std = inputs.chunk(2, dim=-1)
        rollout.inputs[step] = inputs.numpy()
        check_finite({"action": inputs.numpy()}, "network in training")
        action: Array = torch.normal(mean, log_std.exp()).numpy()
        rollout.actions[step] = action
        return action

    def _book(self, reward: Array, done: Array, infos: dict[str, Any]) -> None:
        self._returns += np.where(self._resetting, 0.0, reward)
        if done.any():
            self.finished_returns += self._returns[done].tolist()
            self._returns[done] = 0.0
            if "success" in infos:
                self.finished_successes += np.asarray(infos["success"], dtype=bool)[done].tolist()
        self._resetting = done


def vectorise(env: gym.Env[Any, Any] | VectorEnv[Any, Any, Any]) -> VectorEnv[Any, Any, Any]:
    """A vector environment as it is; a single one, such as a real robot's, as a vector of one.

    Raises:
        ContractError: The environments reset themselves in another way than on their next step.
    """
    if isinstance(env, gym.Env):
        return SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.NEXT_STEP)
    mode = env.metadata.get("autoreset_mode")
    if mode != AutoresetMode.NEXT_STEP:
        raise ContractError(
            f"the vector environment's autoreset mode is {mode}.",
            where="env.metadata",
            remedy='Reset on the step after the end: metadata["autoreset_mode"] = AutoresetMode.NEXT_STEP.',
        )
    return env


def _finite(numbers: Array, what: str) -> Array:
    # Each step, not each batch: a robot must not act on a sensor that broke.
    if not np.isfinite(numbers).all():
        raise ContractError(
            f"the environment gave NaN or infinity as {what}.",
            where=f"env.step: {what}",
            remedy="Check the robot's sensors; nothing was learned from this batch.",
        )
    return numbers


def _allocate(length: int, envs: int, observation: int, action: int) -> _Rollout:
    def zeros(*shape: int, dtype: type = np.float32) -> Array:
        return np.zeros((length, envs, *shape), dtype=dtype)

    return _Rollout(
        observations=np.zeros((length + 1, envs, observation), dtype=np.float32),
        actions=zeros(action),
        inputs=zeros(2 * action),
        log_probabilities=zeros(),
        rewards=zeros(),
        terminated=zeros(dtype=bool),
        truncated=zeros(dtype=bool),
        real=zeros(dtype=bool),
    )


def _chunks(rollout: _Rollout, column: int) -> list[SingleAgentEpisode]:
    real = rollout.real[:, column]
    done = rollout.terminated[:, column] | rollout.truncated[:, column]
    ends = [*(np.flatnonzero(done & real) + 1), len(real)]
    starts = [0, *ends[:-1]]
    chunks = []
    for first, end in zip(starts, ends, strict=True):
        start = first + int(first < len(real) and not real[first])
        if start < end:
            chunks.append(_chunk(rollout, column, slice(start, end)))
    return chunks


def _chunk(rollout: _Rollout, column: int, steps: slice) -> SingleAgentEpisode:
    last = steps.stop - 1
    return SingleAgentEpisode(
        observations=rollout.observations[steps.start : steps.stop + 1, column],
        actions=rollout.actions[steps, column],
        rewards=rollout.rewards[steps, column],
        terminated=bool(rollout.terminated[last, column]),
        truncated=bool(rollout.truncated[last, column]),
        extra_model_outputs={
            Columns.ACTION_DIST_INPUTS: rollout.inputs[steps, column],
            Columns.ACTION_LOGP: rollout.log_probabilities[steps, column],
        },
        infos=[{}] * (steps.stop - steps.start + 1),
        len_lookback_buffer=0,
    )
