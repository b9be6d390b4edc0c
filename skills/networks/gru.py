"""A gated recurrent unit before a layer and the action: it finds out while it works what no sensor tells.

After Cho et al. 2014. It has no critic: that one stays with whoever trains, and may see what only a twin
knows (Ni et al. 2022 on why actor and critic should not share a recurrence). Its torch twin is
`fleet.networks.gru`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from skills.container import Tensors
from skills.document import Parameters
from skills.networks.base import Actor, Array, Network, orthogonal
from skills.networks.graph import Graph

__all__ = ["Gru"]


class Gru(Network):
    """Tensors are those of `torch.nn.GRU` with gates in the order reset, update, new, then two layers.

    `policy.memory.weight_in` (3 memory, inputs), `.weight_back` (3 memory, memory), `.bias_in` and
    `.bias_back` (3 memory,); `policy.hidden.weight` (hidden, memory) with tanh; `policy.action.weight`
    (outputs, hidden); their biases; `log_std` (outputs,).

    Attributes:
        memory: Numbers that it remembers.
        hidden: Width of the layer behind.
    """

    kind: Literal["gru"] = "gru"
    memory: int = Field(default=64, ge=1, le=8192)
    hidden: int = Field(default=64, ge=1, le=65_536)

    def shapes(self) -> Parameters:
        """Name and shape of every tensor."""
        gates = 3 * self.memory
        return {
            "policy.memory.weight_in": (gates, self.inputs),
            "policy.memory.weight_back": (gates, self.memory),
            "policy.memory.bias_in": (gates,),
            "policy.memory.bias_back": (gates,),
            "policy.hidden.weight": (self.hidden, self.memory),
            "policy.hidden.bias": (self.hidden,),
            "policy.action.weight": (self.outputs, self.hidden),
            "policy.action.bias": (self.outputs,),
            "log_std": (self.outputs,),
        }

    def actor(self, tensors: Tensors) -> Actor:
        """The recurrence and what is behind."""
        return _Recurrence(tensors)

    def graph(self, graph: Graph, tensors: Tensors, observation: str, memory: str) -> tuple[str, str]:
        """See `Network.graph`; gate by gate as `_Recurrence.mean`, for the operator GRU wants a time axis."""
        heard, known = (
            graph.split("Split", graph.layer(values, f"memory.{side}", weight, bias), count=3, axis=1)
            for values, side, weight, bias in (
                (observation, "in", tensors["policy.memory.weight_in"], tensors["policy.memory.bias_in"]),
                (memory, "back", tensors["policy.memory.weight_back"], tensors["policy.memory.bias_back"]),
            )
        )
        reset, update = (graph.apply("Sigmoid", graph.apply("Add", heard[i], known[i])) for i in (0, 1))
        new = graph.apply("Tanh", graph.apply("Add", heard[2], graph.apply("Mul", reset, known[2])))
        kept = graph.apply("Mul", update, graph.apply("Sub", memory, new))
        after, at = graph.apply("Add", new, kept), "policy."
        behind = graph.layer(after, "hidden", tensors[f"{at}hidden.weight"], tensors[f"{at}hidden.bias"])
        behind = graph.apply("Tanh", behind)
        return graph.layer(
            behind, "action", tensors[f"{at}action.weight"], tensors[f"{at}action.bias"]
        ), after

    def initial(self, rng: np.random.Generator, *, log_std: float, first_layer: float) -> Tensors:
        """Orthogonal, gate by gate; gain .01 on the action head. What is observed comes in unscaled.

        `first_layer` is left aside: a gate that hears little of the observation learns to listen very slowly.
        """
        del first_layer
        gains = {"policy.hidden.weight": 2**0.5, "policy.action.weight": 0.01}
        tensors: Tensors = {}
        for name, shape in self.shapes().items():
            if name.startswith("policy.memory.weight"):
                gate = (self.memory, shape[1])
                weight = np.concatenate([orthogonal(gate, rng) for _ in range(3)])
            elif len(shape) == 2:
                weight = orthogonal(shape, rng) * gains[name]
            else:
                weight = np.full(shape, log_std if name == "log_std" else 0.0)
            tensors[name] = weight.astype(np.float32)
        return tensors

    def in_words(self) -> str:
        """Sizes on one line."""
        return f"{self.inputs} -> GRU {self.memory} -> {self.hidden} -> {self.outputs}"


class _Recurrence(Actor):
    def __init__(self, tensors: Tensors) -> None:
        def matrix(name: str) -> Array:
            return np.ascontiguousarray(tensors[name].T)

        self._in, self._back = matrix("policy.memory.weight_in"), matrix("policy.memory.weight_back")
        self._bias_in, self._bias_back = (tensors[f"policy.memory.bias_{side}"] for side in ("in", "back"))
        self._hidden, self._bias_hidden = matrix("policy.hidden.weight"), tensors["policy.hidden.bias"]
        self._action, self._bias_action = matrix("policy.action.weight"), tensors["policy.action.bias"]
        self.memory_size = len(self._back)

    def mean(self, observation: Array, memory: Array) -> tuple[Array, Array]:
        """See `Actor.mean`; h' = (1 - z) n + z h with n = tanh(W x + b + r (V h + c)), as `torch.nn.GRU`."""
        heard = np.split(observation @ self._in + self._bias_in, 3, axis=-1)
        known = np.split(memory @ self._back + self._bias_back, 3, axis=-1)
        reset, update = _sigmoid(heard[0] + known[0]), _sigmoid(heard[1] + known[1])
        new = np.tanh(heard[2] + reset * known[2])
        memory = new + update * (memory - new)
        hidden = np.tanh(memory @ self._hidden + self._bias_hidden)
        return hidden @ self._action + self._bias_action, memory


def _sigmoid(numbers: Array) -> Array:
    # By tanh, which neither over- nor underflows.
    half = np.float32(0.5)
    found: Array = half * np.tanh(half * numbers) + half
    return found
