"""Experience: all environments stepped side by side with exploration, memories carried along.

RLlib's own runner hands each environment's each step to a chain of connectors, which takes two thirds of its
time (docs/adr/0019); a skill's observation needs no connector, for its scale is fixed by the task. What is
learned from it is left to whoever collects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from torch import Tensor

from fleet.networks.base import TorchNetwork
from skills.container import check_finite
from skills.errors import ContractError
from skills.networks.base import Network

__all__ = ["MakeEnv", "Rollout", "Sampler", "check_spaces", "log_probability", "vectorise"]

MakeEnv = Callable[[int], gym.Env[Any, Any] | VectorEnv[Any, Any, Any]]
"""A seed becomes one environment, or many at once."""

Array = NDArray[Any]


@dataclass
class Rollout:
    """Steps of all environments, time first, (steps, envs, ...); those marked * have one row more.

    Attributes:
        observations: * (steps + 1, envs, inputs).
        memories: * What the network remembered before each observation.
        truths: * What only a twin knows, where the environment tells it (`infos["twin"]`); else no numbers.
        actions: As drawn, not clipped to the action box.
        log_probabilities: Of the actions.
        rewards: Of each step.
        terminated: The job failed here: nothing follows.
        truncated: The job's time was over here.
        real: False where an environment only reset itself and ignored the action.
    """

    LONGER: ClassVar = ("observations", "memories", "truths")

    observations: Array
    memories: Array
    truths: Array
    actions: Array
    log_probabilities: Array
    rewards: Array
    terminated: Array
    truncated: Array
    real: Array

    @classmethod
    def joined(cls, parts: Sequence[Rollout]) -> Rollout:
        """Rollouts that followed one another, as one."""
        found = {}
        for field in fields(cls):
            arrays = [getattr(part, field.name) for part in parts]
            if field.name in cls.LONGER:  # the last row of each is the first of the next
                arrays[:-1] = [array[:-1] for array in arrays[:-1]]
            found[field.name] = np.concatenate(arrays)
        return cls(**found)

    def left(self) -> Rollout:
        """With one more step, in which nothing happens: its last jobs were given up; nothing follows them."""
        found = {}
        for field in fields(self):
            array = getattr(self, field.name)
            found[field.name] = np.concatenate((array, np.zeros_like(array[-1:])))
        found["truncated"][-2] |= self.real[-1] & ~self.done[-1]
        return Rollout(**found)

    @property
    def done(self) -> Array:
        """Where an episode ended."""
        done: Array = self.terminated | self.truncated
        return done


class Sampler:
    """Collects on-policy experience with a network, from where it left off.

    Args:
        env: See `vectorise`.
        network: Acts; whatever it has learned meanwhile is used at once.
        seed: Of the environments' first reset.

    Attributes:
        begins: In which environments the observation at hand begins a job, (envs,).
        on_step: Called before each step; what it raises ends the sampling.
        returns: Undiscounted reward of each episode that ended in the last rollout.
        successes: Whether it succeeded, where the environment says so.
    """

    def __init__(self, env: VectorEnv[Any, Any, Any], network: TorchNetwork, seed: int) -> None:
        self.env, self._network = env, network
        self._seed: int | None = seed
        self._box: Any = env.single_action_space
        self._resetting = np.zeros(env.num_envs, dtype=bool)
        self.begins = np.ones(env.num_envs, dtype=bool)
        self._gained = np.zeros(env.num_envs)
        self._now: tuple[Array, Array, Array] | None = None  # observation, memory, truth
        self.on_step: Callable[[], None] = lambda: None
        self.returns: list[float] = []
        self.successes: list[bool] = []

    @torch.no_grad()
    def collect(self, steps: int) -> Rollout:
        """Step all environments `ceil(steps / envs)` times; for a recurrent network by whole episodes.

        Raises:
            ContractError: The environment gave numbers that are not finite.
            ArtefactError: The network did.
        """
        self.returns, self.successes = [], []
        observation, memory, truth = self._now or self._first()
        if self._network.recurrent:
            steps = _whole_episodes(steps, self.env)
        length, box = -(-steps // self.env.num_envs), self._box
        rollout = self._allocate(length, observation, memory, truth)
        means = np.zeros_like(rollout.actions)
        for step in range(length):
            self.on_step()
            rollout.observations[step], rollout.memories[step] = _finite(observation, "observation"), memory
            rollout.truths[step] = truth
            seen = torch.from_numpy(rollout.observations[step])
            mean, after = self._network.step(seen, torch.from_numpy(memory))
            check_finite({"action": mean.numpy()}, "network in training")
            means[step] = mean.numpy()
            rollout.actions[step] = self._draw(rollout.observations[step], mean)
            observation, reward, terminated, truncated, infos = self.env.step(
                np.clip(rollout.actions[step], box.low, box.high)
            )
            memory, truth = after.numpy(), _truth(infos, truth)
            self.begins = self._resetting
            memory[self.begins] = 0.0
            self._now = observation, memory, truth
            rollout.rewards[step], rollout.real[step] = _finite(reward, "reward"), ~self._resetting
            rollout.terminated[step], rollout.truncated[step] = terminated, truncated
            self._book(reward, terminated | truncated, infos)
        rollout.observations[length], rollout.memories[length] = _finite(observation, "observation"), memory
        rollout.truths[length] = truth
        rollout.log_probabilities = log_probability(
            torch.from_numpy(means), self._network.spread(), torch.from_numpy(rollout.actions)
        ).numpy()
        return rollout

    def leave(self) -> None:
        """Give up the jobs under way; the next rollout begins new ones, after another reset."""
        if self._now is not None:
            self._now = self._seed = None
        self._gained[:] = 0.0
        self._resetting, self.begins = np.zeros_like(self.begins), np.ones_like(self.begins)

    def close(self) -> None:
        """Close the environments."""
        self.env.close()

    def _draw(self, observation: Array, mean: Tensor) -> Array:  # noqa: ARG002 - for those that need it
        """What to do (envs, k), where the network's mean action is this."""
        drawn: Array = torch.normal(mean, self._network.spread().exp().expand_as(mean)).numpy()
        return drawn

    def _first(self) -> tuple[Array, Array, Array]:
        observation, infos = self.env.reset(seed=self._seed)
        memory = np.zeros((self.env.num_envs, self._network.memory_size), dtype=np.float32)
        return observation, memory, _truth(infos, np.zeros((self.env.num_envs, 0), dtype=np.float32))

    def _allocate(self, length: int, observation: Array, memory: Array, truth: Array) -> Rollout:
        def zeros(steps: int, *shape: int, dtype: type = np.float32) -> Array:
            return np.zeros((steps, self.env.num_envs, *shape), dtype=dtype)

        return Rollout(
            observations=zeros(length + 1, *observation.shape[1:]),
            memories=zeros(length + 1, *memory.shape[1:]),
            truths=zeros(length + 1, *truth.shape[1:]),
            actions=zeros(length, *self._box.shape),
            log_probabilities=zeros(length),
            rewards=zeros(length),
            terminated=zeros(length, dtype=bool),
            truncated=zeros(length, dtype=bool),
            real=zeros(length, dtype=bool),
        )

    def _book(self, reward: Array, done: Array, infos: dict[str, Any]) -> None:
        self._gained += np.where(self._resetting, 0.0, reward)
        if done.any():
            self.returns += self._gained[done].tolist()
            self._gained[done] = 0.0
            if "success" in infos:
                self.successes += np.asarray(infos["success"], dtype=bool)[done].tolist()
        self._resetting = done


def log_probability(mean: Tensor, log_std: Tensor, actions: Tensor) -> Tensor:
    """Log density (...) of actions (..., k) under Gaussians: means (..., k), log deviations (k,)."""
    deviation = (actions - mean) * torch.exp(-log_std)
    constant = 0.5 * math.log(2 * math.pi) * actions.shape[-1]
    return -0.5 * deviation.square().sum(-1) - log_std.sum(-1) - constant


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


def _whole_episodes(steps: int, env: VectorEnv[Any, Any, Any]) -> int:
    """About so many steps, as whole episodes of all environments: sequences that are cut cost time.

    An environment that does not say how long its episodes last (`horizon`) gets the steps as they are.
    """
    horizon = getattr(env, "horizon", None)
    if horizon is None:
        return steps
    episode: int = env.num_envs * (horizon + 1)  # with the step in which it only resets itself
    return max(1, round(steps / episode)) * episode


def check_spaces(env: VectorEnv[Any, Any, Any], network: Network) -> None:
    """Hold an environment to the network's sizes.

    Raises:
        ContractError: They do not fit.
    """
    spaces = (env.single_observation_space, env.single_action_space)
    for what, space, size in zip(
        ("observation", "action"), spaces, (network.inputs, network.outputs), strict=True
    ):
        if space.shape != (size,):
            raise ContractError(
                f"the environment's {what} has shape {space.shape}, the skill's network {size} numbers.",
                where=f"env.{what}_space",
                remedy="Build the environment to the contract in the skill's manifest.",
            )


def _truth(infos: dict[str, Any], before: Array) -> Array:
    return np.asarray(infos["twin"], dtype=np.float32) if "twin" in infos else before


def _finite(numbers: Array, what: str) -> Array:
    # Each step, not each batch: a robot must not act on a sensor that broke.
    if not np.isfinite(numbers).all():
        raise ContractError(
            f"the environment gave NaN or infinity as {what}.",
            where=f"env.step: {what}",
            remedy="Check the robot's sensors; nothing was learned from this batch.",
        )
    return numbers
