"""What every kind of network is: described in a manifest, begun from a seed, run with explicit memory.

How one is trained is left to its torch twin (`fleet.networks`); which kinds there are to
`skills.networks.registry`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skills.container import Tensors
from skills.document import Document, Parameters
from skills.errors import ContractError
from skills.networks.graph import Graph

__all__ = ["Actor", "Array", "Network", "activate", "orthogonal"]

Array = NDArray[np.float32]
Activation = Literal["tanh", "relu"]


class Actor(ABC):
    """The part of a network that acts, in numpy.

    Attributes:
        memory_size: Numbers that it remembers from one step to the next; 0 where it remembers nothing.
    """

    memory_size: int = 0

    @abstractmethod
    def mean(self, observation: Array, memory: Array) -> tuple[Array, Array]:
        """What to do, and what to remember of it.

        Args:
            observation: (n, inputs).
            memory: (n, memory_size); zeros at the start of a job.

        Returns:
            Mean action (n, outputs), not clipped to the action box, and the memory for the next step.
        """


class Network(Document, ABC):
    """A network's kind and sizes; all its tensors are float32.

    A subclass has a `kind: Literal[...]` of its own. Tensors whose name begins with `critic.` or
    `training.` only help to train; all others act.

    Attributes:
        inputs: Numbers in one observation.
        outputs: Numbers in one action.
    """

    kind: str
    inputs: int = Field(ge=1, le=1_048_576)
    outputs: int = Field(ge=1, le=65_536)

    @abstractmethod
    def shapes(self) -> Parameters:
        """Name and shape of every tensor of the network."""

    @abstractmethod
    def actor(self, tensors: Tensors) -> Actor:
        """The part that acts, with these weights."""

    def graph(self, graph: Graph, tensors: Tensors, observation: str, memory: str) -> tuple[str, str]:
        """Write the same down as operators: what `actor` computes, for machines without Python.

        Args:
            graph: Where to.
            tensors: The weights.
            observation: Name of what goes in, (n, inputs).
            memory: Name of what is remembered, (n, memory_size); empty where the kind remembers nothing.

        Returns:
            Names of the mean action and of the next memory, empty where nothing is remembered.

        Raises:
            ContractError: The kind has no such form.
        """
        del graph, tensors, observation, memory
        raise ContractError(
            f"networks of kind {self.kind} have no form as a graph.",
            where="manifest.network",
            remedy="Whoever wrote the kind can give it a method `graph`, as `skills.networks.mlp` has one.",
        )

    @abstractmethod
    def initial(self, rng: np.random.Generator, *, log_std: float, first_layer: float) -> Tensors:
        """Weights of an untrained network; equal generators give equal bits.

        Args:
            rng: Randomness.
            log_std: Initial log standard deviation of the exploration.
            first_layer: Factor on the layer that reads the observation; small keeps it linear at the start.
        """

    @abstractmethod
    def in_words(self) -> str:
        """Sizes on one line, such as `37 -> (64, 64) -> 5, tanh`."""


def activate(hidden: Array, activation: Activation) -> Array:
    """An activation, number by number."""
    return np.maximum(hidden, 0) if activation == "relu" else np.tanh(hidden)


def orthogonal(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    """A matrix with orthonormal rows or columns, whichever are fewer (Saxe et al. 2014), in float64."""
    rows, columns = shape
    square = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(square)
    q = q * np.sign(np.diag(r))
    return q if rows >= columns else q.T
