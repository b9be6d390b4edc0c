"""The torch twin of `skills.networks.mlp`: layers, and a critic with layers of its own."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from fleet.networks.base import TorchNetwork
from skills.networks.mlp import Mlp

__all__ = ["MlpNetwork", "layers", "run_layers"]

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class MlpNetwork(TorchNetwork):
    """Actor and critic; what it remembers are the last observations."""

    def __init__(self, network: Mlp) -> None:
        super().__init__(network)
        seen = network.inputs * network.history
        self.memory_size = seen - network.inputs
        self.actor = layers((seen, *network.hidden, network.outputs))
        self.critic = layers((seen, *network.hidden, 1))
        self._inputs = network.inputs
        self._activation = network.activation

    def step(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """See `TorchNetwork.step`."""
        after = torch.cat((memory, observation), -1)[:, self._inputs :] if self.memory_size else memory
        return self.means(observation, memory), after

    def means(self, observation: Tensor, memory: Tensor) -> Tensor:
        """See `TorchNetwork.means`."""
        return run_layers(self.actor, self._seen(observation, memory), self._activation)

    def value(self, observation: Tensor, memory: Tensor) -> Tensor:
        """Expected discounted return (n,)."""
        return run_layers(self.critic, self._seen(observation, memory), self._activation).squeeze(-1)

    def _seen(self, observation: Tensor, memory: Tensor) -> Tensor:
        return torch.cat((memory, observation), -1) if self.memory_size else observation


def layers(widths: tuple[int, ...]) -> nn.ModuleList:
    """Linear layers of these widths, one after the other."""
    return nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))


def run_layers(parts: nn.ModuleList, hidden: Tensor, activation: str) -> Tensor:
    """What comes out of the last layer; the activation stands between two layers."""
    *first, last = parts
    for layer in first:
        hidden = ACTIVATIONS[activation](layer(hidden))
    output: Tensor = last(hidden)
    return output
