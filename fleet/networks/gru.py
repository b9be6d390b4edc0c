"""The torch twin of `skills.networks.gru`: it learns from whole sequences, through time."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fleet.networks.base import TorchNetwork
from skills.networks.gru import Gru

__all__ = ["GruNetwork"]

NAMES = {
    "weight_in": "weight_ih_l0",
    "weight_back": "weight_hh_l0",
    "bias_in": "bias_ih_l0",
    "bias_back": "bias_hh_l0",
}


class GruNetwork(TorchNetwork):
    """`torch.nn.GRU`, a layer with tanh, the action; its critic stays with the trainer."""

    recurrent = True

    def __init__(self, network: Gru) -> None:
        super().__init__(network)
        self.memory_size = network.memory
        self.memory = nn.GRU(network.inputs, network.memory, batch_first=True)
        self.hidden = nn.Linear(network.memory, network.hidden)
        self.action = nn.Linear(network.hidden, network.outputs)

    def own_name(self, tensor: str) -> str:
        """`policy.memory.weight_in` is `memory.weight_ih_l0`; the others drop `policy.`."""
        head, _, last = tensor.removeprefix("policy.").rpartition(".")
        return f"memory.{NAMES[last]}" if head == "memory" else tensor.removeprefix("policy.")

    def step(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """See `TorchNetwork.step`."""
        remembered, after = self.memory(observation[:, None], memory[None])
        return self._act(remembered[:, 0]), after[0]

    def means(self, observation: Tensor, memory: Tensor) -> Tensor:
        """See `TorchNetwork.means`."""
        remembered, _ = self.memory(observation, memory[None].contiguous())
        return self._act(remembered)

    def _act(self, remembered: Tensor) -> Tensor:
        action: Tensor = self.action(torch.tanh(self.hidden(remembered)))
        return action
