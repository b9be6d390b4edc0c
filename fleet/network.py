"""The torch twin of `skills.policy`: actor, critic and exploration of a manifest's network.

Parameter names are the skill's tensor names, so weights move in and out without a table. How the
network is trained is left to `fleet.trainer`; that both twins agree is held by a test.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from skills.bounds import LOG_STD
from skills.container import Tensors, check_finite, check_shapes
from skills.manifest import Network

__all__ = ["ActorCritic"]

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh}


class ActorCritic(nn.Module):
    """Gaussian actor with state-independent spread, and a critic with layers of its own."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.actor = _layers((network.inputs, *network.hidden, network.outputs))
        self.critic = _layers((network.inputs, *network.hidden, 1))
        self.log_std = nn.Parameter(torch.zeros(network.outputs))
        self._shapes = network.shapes()
        self._activation = ACTIVATIONS[network.activation]

    def mean(self, observation: Tensor) -> Tensor:
        """Mean action (n, outputs) for observations (n, inputs); not clipped to the action box."""
        return self._run(self.actor, observation)

    def spread(self) -> Tensor:
        """Log standard deviation of the exploration (outputs,), within the bounds of all skills."""
        return self.log_std.clamp(*LOG_STD)

    def value(self, observation: Tensor) -> Tensor:
        """Expected discounted return (n,) from observations (n, inputs)."""
        return self._run(self.critic, observation).squeeze(-1)

    def load(self, tensors: Tensors) -> None:
        """Take over a skill's tensors.

        Raises:
            ArtefactError: A tensor is missing, unknown, non-finite, or has another shape.
        """
        check_shapes(tensors, self._shapes, "skill")
        check_finite(tensors, "skill")
        self.load_state_dict({name: torch.tensor(tensor) for name, tensor in tensors.items()})

    def tensors(self) -> Tensors:
        """Copies of all parameters as float32 arrays, in the order of `Network.shapes`."""
        state = self.state_dict()
        return {name: state[name].numpy().astype(np.float32) for name in self._shapes}

    def _run(self, layers: nn.ModuleList, hidden: Tensor) -> Tensor:
        *first, last = layers
        for layer in first:
            hidden = self._activation(layer(hidden))
        output: Tensor = last(hidden)
        return output


def _layers(widths: tuple[int, ...]) -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths))
