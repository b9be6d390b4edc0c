"""A multi-layer perceptron: actor, critic, and a spread of the exploration that does not depend on the state.

With `history` it sees the last so many observations at once, which is the simplest memory there is. Its
torch twin is `fleet.networks.mlp`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from skills.container import Tensors
from skills.document import Parameters
from skills.networks.base import Activation, Actor, Array, Network, activate, orthogonal
from skills.networks.graph import Graph

__all__ = ["Mlp"]

Width = Annotated[int, Field(ge=1, le=65_536)]


def _several(widths: object) -> object:
    return (widths,) if isinstance(widths, int) else widths


class Mlp(Network):
    """Tensors are `actor.<i>.weight` (out, in) and `actor.<i>.bias` (out,), the same for `critic`,
    whose last layer has one output, and `log_std` (outputs,).

    Attributes:
        hidden: Widths of the hidden layers, of actor and critic alike.
        activation: Of the hidden layers.
        history: Observations that the first layer sees, the oldest first; before a job begins they are zeros.
    """  # noqa: D205 - one thought

    kind: Literal["mlp"] = "mlp"
    hidden: Annotated[tuple[Width, ...], BeforeValidator(_several)] = Field(default=(64, 64), max_length=32)
    activation: Activation = "tanh"
    history: int = Field(default=1, ge=1, le=256)

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """As before there was a history, where there is none: equal skills keep equal digests."""
        fields: dict[str, object] = handler(self)
        if self.history == 1:
            del fields["history"]
        return fields

    def shapes(self) -> Parameters:
        """Name and shape of every tensor."""
        shapes: Parameters = {}
        for head, outputs in (("actor", self.outputs), ("critic", 1)):
            widths = (self.inputs * self.history, *self.hidden, outputs)
            for layer, (fan_in, fan_out) in enumerate(pairwise(widths)):
                shapes[f"{head}.{layer}.weight"] = (fan_out, fan_in)
                shapes[f"{head}.{layer}.bias"] = (fan_out,)
        return {**shapes, "log_std": (self.outputs,)}

    def actor(self, tensors: Tensors) -> Actor:
        """The layers of the actor."""
        return _Layers(self, tensors)

    def graph(self, graph: Graph, tensors: Tensors, observation: str, memory: str) -> tuple[str, str]:
        """See `Network.graph`; what is remembered are the last observations."""
        hidden, after = observation, ""
        if self.history > 1:
            hidden = graph.apply("Concat", memory, observation, axis=1)
            part = {"first": self.inputs, "end": self.inputs * self.history, "axis": 1}
            bounds = [graph.constant(name, np.array([number])) for name, number in part.items()]
            after = graph.apply("Slice", hidden, *bounds)
        last = len(self.hidden)
        for i in range(last + 1):
            hidden = graph.layer(
                hidden, f"actor.{i}", tensors[f"actor.{i}.weight"], tensors[f"actor.{i}.bias"]
            )
            if i < last:
                hidden = graph.apply("Relu" if self.activation == "relu" else "Tanh", hidden)
        return hidden, after

    def initial(self, rng: np.random.Generator, *, log_std: float, first_layer: float) -> Tensors:
        """Orthogonal, gain sqrt(2), .01 on the action head so that the first policy is the nominal feed, and
        1 on the value head: the usual start for PPO (Andrychowicz et al. 2021).
        """  # noqa: D205 - one thought
        last = len(self.hidden)
        gains: dict[str, float] = {
            f"actor.{last}.weight": 0.01,
            f"critic.{last}.weight": 1.0,
            "actor.0.weight": first_layer * 2**0.5,
        }
        tensors: Tensors = {}
        for name, shape in self.shapes().items():
            if len(shape) == 2:
                weight = orthogonal(shape, rng) * gains.get(name, 2**0.5)
                tensors[name] = weight.astype(np.float32)
            else:
                tensors[name] = np.full(shape, log_std if name == "log_std" else 0.0, dtype=np.float32)
        return tensors

    def in_words(self) -> str:
        """Sizes on one line."""
        seen = f", the last {self.history} observations" if self.history > 1 else ""
        return f"{self.inputs} -> {self.hidden} -> {self.outputs}, {self.activation}{seen}"


class _Layers(Actor):
    def __init__(self, network: Mlp, tensors: Tensors) -> None:
        layers = range(len(network.hidden) + 1)
        # (in, out) and contiguous: the batched product below then runs without a copy.
        self._weights = [np.ascontiguousarray(tensors[f"actor.{i}.weight"].T) for i in layers]
        self._biases = [tensors[f"actor.{i}.bias"] for i in layers]
        self._activation = network.activation
        self.memory_size = network.inputs * (network.history - 1)

    def mean(self, observation: Array, memory: Array) -> tuple[Array, Array]:
        """See `Actor.mean`; what it remembers are the last observations."""
        hidden = np.concatenate((memory, observation), axis=-1) if self.memory_size else observation
        after = hidden[:, observation.shape[-1] :] if self.memory_size else memory
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            hidden = activate(hidden @ weight + bias, self._activation)
        return hidden @ self._weights[-1] + self._biases[-1], after
