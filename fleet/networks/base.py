"""What the torch twin of every kind of network offers to whoever trains it.

It computes what `skills.networks` computes in numpy; a test holds both together. How it is trained is left to
`fleet.training`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor, nn

from skills.bounds import LOG_STD
from skills.container import Tensors, check_finite, check_shapes
from skills.networks.base import Network

__all__ = ["TorchNetwork"]


class TorchNetwork(nn.Module, ABC):
    """A Gaussian policy whose spread does not depend on the state; perhaps with a critic of its own.

    Attributes:
        memory_size: Numbers that it remembers from one step to the next.
        recurrent: Whether it learns from sequences in their order; else each step stands for itself, with the
            memory that it had.
    """

    memory_size: int = 0
    recurrent: bool = False

    def __init__(self, network: Network) -> None:
        super().__init__()
        self._shapes = network.shapes()
        self.log_std = nn.Parameter(torch.zeros(network.outputs))

    @abstractmethod
    def step(self, observation: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Mean action (n, outputs), not clipped to the action box, and the next memory (n, memory_size).

        Args:
            observation: (n, inputs).
            memory: (n, memory_size).
        """

    @abstractmethod
    def means(self, observation: Tensor, memory: Tensor) -> Tensor:
        """Mean actions of what was recorded.

        Args:
            observation: (n, inputs), or for a recurrent network whole sequences, (n, steps, inputs).
            memory: (n, memory_size) before each observation, or before each sequence.

        Returns:
            (n, outputs) or (n, steps, outputs).
        """

    def value(self, observation: Tensor, memory: Tensor) -> Tensor:
        """Expected discounted return (n,), of a network that brings its critic along.

        Raises:
            NotImplementedError: It brings none.
        """
        raise NotImplementedError

    def spread(self) -> Tensor:
        """Log standard deviation of the exploration (outputs,), within the bounds of all skills."""
        return self.log_std.clamp(*LOG_STD)

    def by_name(self) -> dict[str, nn.Parameter]:
        """All parameters by the skill's tensor names, in the order of `Network.shapes`."""
        own = dict(self.named_parameters())
        return {name: own[self.own_name(name)] for name in self._shapes}

    def own_name(self, tensor: str) -> str:
        """The parameter that a tensor of the skill is; the same name, unless a kind says otherwise."""
        return tensor

    @torch.no_grad()
    def load(self, tensors: Tensors) -> None:
        """Take over a skill's tensors.

        Raises:
            ArtefactError: A tensor is missing, unknown, non-finite, or has another shape.
        """
        check_shapes(tensors, self._shapes, "skill")
        check_finite(tensors, "skill")
        for name, parameter in self.by_name().items():
            parameter.copy_(torch.tensor(tensors[name]))

    def tensors(self) -> Tensors:
        """Copies of all parameters as float32 arrays, in the order of `Network.shapes`."""
        return {
            name: parameter.detach().numpy().astype(np.float32) for name, parameter in self.by_name().items()
        }
