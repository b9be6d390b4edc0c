"""The plain torch loop that our trainer is held to where a network remembers: whole episodes, through time.

Part of `python -m benchmarks.training`, which times both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

from fleet.networks.gru import GruNetwork
from fleet.training.sampler import log_probability
from skills.container import Tensors
from skills.messages.training import Ppo
from skills.networks.gru import Gru

__all__ = ["PlainMemory"]

Env = VectorEnv[Any, Any, Any]


class PlainMemory:
    """PPO with `torch.nn.GRU` as one would write it by hand: every batch is one episode of each copy.

    Args:
        make_env: From a seed.
        network: What is trained.
        first: Its weights.
        settings: PPO's knobs.
        horizon: Steps of an episode.
        rate: Adam's.
    """

    def __init__(
        self,
        make_env: Callable[[int], Env],
        network: Gru,
        first: Tensors,
        settings: Ppo,
        horizon: int,
        rate: float,
    ) -> None:
        self._env, self._net, self._settings, self._horizon = (
            make_env(0),
            GruNetwork(network),
            settings,
            horizon,
        )
        self._net.load(first)
        seen = network.inputs + network.memory
        self._critic = nn.Sequential(
            nn.Linear(seen, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1)
        )
        self._parameters = [*self._net.parameters(), *self._critic.parameters()]
        self._optimizer = torch.optim.Adam(self._parameters, lr=rate, eps=1e-5, fused=True)
        self._env.reset(seed=0)

    def iterate(self) -> None:
        """One batch: collect, then all epochs."""
        self._learn(*self._collect())

    @torch.no_grad()
    def _collect(self) -> tuple[Tensor, ...]:
        net, copies = self._net, self._env.num_envs
        observation, memory = torch.from_numpy(self._env.reset()[0]), torch.zeros(copies, net.memory_size)
        rows: list[tuple[Any, ...]] = []
        for _ in range(self._horizon):
            mean, after = net.step(observation, memory)
            action = torch.normal(mean, net.spread().exp().expand_as(mean))
            following, reward, failed, ended, _ = self._env.step(action.clamp(-1, 1).numpy())
            logp, value = log_probability(mean, net.spread(), action), self._value(observation, memory)
            flags = map(torch.as_tensor, (reward, failed, ended))
            rows.append((observation, memory, action, logp, value, *flags))
            observation, memory = torch.from_numpy(following), after
        columns = [torch.stack(column) for column in zip(*rows, strict=True)]
        observations, memories, actions, old, values, rewards, failed, ended = columns
        values = torch.cat((values, self._value(observation, memory)[None]))
        over = failed | ended
        errors = rewards.float() + self._settings.discount * values[1:] * ~failed - values[:-1]
        gained, last = torch.zeros_like(errors), torch.zeros(copies)
        for step in reversed(range(self._horizon)):
            last = errors[step] + self._settings.discount * self._settings.trace * ~over[step] * last
            gained[step] = last
        kept = (observations, memories, actions, old, gained, gained + values[:-1])
        return tuple(column.transpose(0, 1).contiguous() for column in kept)

    def _learn(
        self,
        observations: Tensor,
        memories: Tensor,
        actions: Tensor,
        old: Tensor,
        gained: Tensor,
        targets: Tensor,
    ) -> None:
        settings, net = self._settings, self._net
        gained = (gained - gained.mean()) / gained.std()
        size = max(1, round(settings.minibatch / self._horizon))
        for _ in range(settings.epochs):
            for rows in torch.split(torch.randperm(len(actions)), size):
                mean = net.means(observations[rows], memories[rows, 0])
                ratio = torch.exp(log_probability(mean, net.spread(), actions[rows]) - old[rows])
                clipped = ratio.clamp(1 - settings.clip, 1 + settings.clip)
                surrogate = torch.minimum(ratio * gained[rows], clipped * gained[rows]).mean()
                error = (self._value(observations[rows], memories[rows]) - targets[rows]).square().mean()
                self._optimizer.zero_grad()
                (settings.value_weight * error - surrogate).backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_(self._parameters, settings.gradient_norm)
                self._optimizer.step()

    def _value(self, observation: Tensor, memory: Tensor) -> Tensor:
        value: Tensor = self._critic(torch.cat((observation, memory), -1)).squeeze(-1)
        return value
