"""A small causal decoder: each observation is a token, and heeds the last ones.

After Vaswani et al. 2017, with norms before the layers and distances instead of places (ALiBi: Press et al.
2022), so that what was heard once stays as it is while it grows old. It has no critic, like `gru`. Its torch
twin is `fleet.networks.transformer`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from skills.container import Tensors
from skills.document import Parameters
from skills.networks.base import Actor, Array, Network, orthogonal
from skills.networks.graph import Graph

__all__ = ["LEAST_SQUARE", "Transformer"]

LEAST_SQUARE = 1e-6
"""Added to the mean square that a norm divides by."""


class Transformer(Network):
    """A token is `embed` of an observation. Each block adds to it, of its norm, what attention `write`s and
    what a layer with ReLU makes `narrow`; the action is linear in the last norm.

    `policy.embed.weight` (width, inputs); in block i from 0 `policy.<i>.attention.norm` (width,),
    `.attention.read.weight` (3 width, width) for queries, keys and values, `.attention.write.weight` (width,
    width), `.feed.norm` (width,), `.feed.wide.weight` (hidden, width), `.feed.narrow.weight` (width, hidden);
    `policy.norm` (width,), `policy.action.weight` (outputs, width); biases of embed, wide, narrow and action;
    `log_std` (outputs,). A norm divides by the root of the mean square. It remembers keys and values of the
    last `history` - 1 observations in each block, the oldest first; before a job begins they are zeros.

    Attributes:
        width: Numbers of a token.
        layers: Blocks.
        heads: Of each attention; they divide the width.
        hidden: Width of the layer in a block.
        history: Observations that a block heeds, with the present one.
    """  # noqa: D205 - one thought

    kind: Literal["transformer"] = "transformer"
    width: int = Field(default=64, ge=1, le=16_384)
    layers: int = Field(default=2, ge=1, le=128)
    heads: int = Field(default=4, ge=1, le=256)
    hidden: int = Field(default=256, ge=1, le=65_536)
    history: int = Field(default=16, ge=2, le=256)

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Transformer:
        if self.width % self.heads:
            msg = f"{self.heads} heads do not divide a width of {self.width}"
            raise ValueError(msg)
        return self

    @property
    def memory_shape(self) -> tuple[int, int, int, int]:
        """Blocks, keys and values, observations, numbers of each."""
        return self.layers, 2, self.history - 1, self.width

    def shapes(self) -> Parameters:
        """Name and shape of every tensor."""
        width, hidden = self.width, self.hidden
        shapes: Parameters = {"policy.embed.weight": (width, self.inputs), "policy.embed.bias": (width,)}
        for block in range(self.layers):
            inside = {
                "attention.norm": (width,),
                "attention.read.weight": (3 * width, width),
                "attention.write.weight": (width, width),
                "feed.norm": (width,),
                "feed.wide.weight": (hidden, width),
                "feed.wide.bias": (hidden,),
                "feed.narrow.weight": (width, hidden),
                "feed.narrow.bias": (width,),
            }
            shapes |= {f"policy.{block}.{name}": shape for name, shape in inside.items()}
        return {
            **shapes,
            "policy.norm": (width,),
            "policy.action.weight": (self.outputs, width),
            "policy.action.bias": (self.outputs,),
            "log_std": (self.outputs,),
        }

    def nearness(self, distances: NDArray[np.int64]) -> Array:
        """What is added to attention's scores at these distances in steps, (heads, ...): ALiBi's slopes."""
        slopes = 2.0 ** (-8 * np.arange(1, self.heads + 1) / self.heads)
        return (-slopes.reshape(-1, *[1] * distances.ndim) * distances).astype(np.float32)

    def actor(self, tensors: Tensors) -> Actor:
        """The decoder, a token at a time."""
        return _Decoder(self, tensors)

    def graph(self, graph: Graph, tensors: Tensors, observation: str, memory: str) -> tuple[str, str]:
        """See `Network.graph`; step by step as `_Decoder.mean`."""
        return _Drawing(self, graph, tensors).draw(observation, memory)

    def initial(self, rng: np.random.Generator, *, log_std: float, first_layer: float) -> Tensors:
        """Orthogonal; what blocks add begins small, the more so the more there are, and the action near zero.

        `first_layer` is left aside: norms make tokens alike in size whatever it is.
        """
        del first_layer
        adding = (2 * self.layers) ** -0.5
        gains = {"wide": 2**0.5, "write": adding, "narrow": adding, "action": 0.01}
        tensors: Tensors = {}
        for name, shape in self.shapes().items():
            layer = name.split(".")[-2] if "." in name else ""
            if name.endswith("read.weight"):
                weight = np.concatenate([orthogonal((self.width, self.width), rng) for _ in range(3)])
            elif len(shape) == 2:
                weight = orthogonal(shape, rng) * gains.get(layer, 1.0)
            elif name.endswith("norm"):
                weight = np.ones(shape)
            else:
                weight = np.full(shape, log_std if name == "log_std" else 0.0)
            tensors[name] = weight.astype(np.float32)
        return tensors

    def in_words(self) -> str:
        """Sizes on one line."""
        blocks = f"{self.layers} x {self.width} with {self.heads} heads, {self.hidden} wide"
        return (
            f"{self.inputs} -> transformer {blocks} -> {self.outputs}, the last {self.history} observations"
        )


class _Decoder(Actor):
    def __init__(self, network: Transformer, tensors: Tensors) -> None:
        # (in, out) and contiguous, as the products below read them.
        self._of = {
            name: np.ascontiguousarray(tensor.T) if tensor.ndim == 2 else tensor
            for name, tensor in tensors.items()
        }
        self._network = network
        self._near = network.nearness(np.arange(network.history)[::-1].copy())
        self.memory_size = int(np.prod(network.memory_shape))

    def mean(self, observation: Array, memory: Array) -> tuple[Array, Array]:
        """See `Actor.mean`."""
        known = memory.reshape(-1, *self._network.memory_shape)
        after = np.empty_like(known)
        after[:, :, :, :-1] = known[:, :, :, 1:]
        token = self._layer(observation, "policy.embed")
        for block in range(self._network.layers):
            here = f"policy.{block}."
            read = self._norm(token, f"{here}attention.norm") @ self._of[f"{here}attention.read.weight"]
            query, key, value = np.split(read, 3, axis=-1)
            after[:, block, 0, -1], after[:, block, 1, -1] = key, value
            keys, values = (
                np.concatenate((known[:, block, i], new[:, None]), axis=1)
                for i, new in enumerate((key, value))
            )
            token = token + self._attend(query, keys, values) @ self._of[f"{here}attention.write.weight"]
            wide = np.maximum(self._layer(self._norm(token, f"{here}feed.norm"), f"{here}feed.wide"), 0)
            token = token + self._layer(wide, f"{here}feed.narrow")
        return self._layer(self._norm(token, "policy.norm"), "policy.action"), after.reshape(memory.shape)

    def _attend(self, query: Array, keys: Array, values: Array) -> Array:
        """Values (n, history, width) weighed by softmax(query . keys), head by head; (n, width)."""
        jobs, width = query.shape
        heads = self._network.heads
        size = width // heads
        query = query.reshape(jobs, heads, 1, size) * np.float32(size**-0.5)
        keys, values = (each.reshape(jobs, -1, heads, size) for each in (keys, values))
        scores = query @ keys.transpose(0, 2, 3, 1) + self._near[:, None]
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        heard: Array = (shares @ values.transpose(0, 2, 1, 3)).reshape(jobs, width)
        return heard

    def _layer(self, values: Array, name: str) -> Array:
        found: Array = values @ self._of[f"{name}.weight"] + self._of[f"{name}.bias"]
        return found

    def _norm(self, token: Array, name: str) -> Array:
        square = np.mean(np.square(token), axis=-1, keepdims=True)
        found: Array = token / np.sqrt(square + np.float32(LEAST_SQUARE)) * self._of[name]
        return found


class _Drawing:
    """The decoder as operators."""

    def __init__(self, network: Transformer, graph: Graph, tensors: Tensors) -> None:
        self._network, self._graph, self._of = network, graph, tensors
        near = network.nearness(np.arange(network.history)[::-1].copy())
        graph.constant("near", near[:, None])
        graph.constant("least", np.array(LEAST_SQUARE, np.float32))
        graph.constant("scale", np.array((network.width // network.heads) ** -0.5, np.float32))
        for name, number in {"one": 1, "last": network.history}.items():
            graph.constant(name, np.array([number]))

    def draw(self, observation: str, memory: str) -> tuple[str, str]:
        """Names of action and next memory."""
        graph, blocks = self._graph, self._network.layers
        _, _, kept, width = self._network.memory_shape
        known = graph.split(
            "Split", self._shaped(memory, 0, 2 * blocks, kept, width), count=2 * blocks, axis=1
        )
        token, remembered = self._layer(observation, "policy.embed"), []
        for block in range(blocks):
            here = f"policy.{block}."
            read = self._product(self._norm(token, f"{here}attention.norm"), f"{here}attention.read.weight")
            query, *new = graph.split("Split", read, count=3, axis=1)
            both = [self._with(known[2 * block + i], each) for i, each in enumerate(new)]
            remembered += [self._younger(each) for each in both]
            heard = self._product(self._attend(query, *both), f"{here}attention.write.weight")
            token = graph.apply("Add", token, heard)
            wide = graph.apply("Relu", self._layer(self._norm(token, f"{here}feed.norm"), f"{here}feed.wide"))
            token = graph.apply("Add", token, self._layer(wide, f"{here}feed.narrow"))
        after = self._shaped(graph.apply("Concat", *remembered, axis=1), 0, 2 * blocks * kept * width)
        return self._layer(self._norm(token, "policy.norm"), "policy.action"), after

    def _with(self, known: str, new: str) -> str:
        """Keys or values of all observations that are heeded, (n, history, width)."""
        _, _, kept, width = self._network.memory_shape
        before = self._shaped(known, 0, kept, width)
        return self._graph.apply("Concat", before, self._shaped(new, 0, 1, width), axis=1)

    def _younger(self, heeded: str) -> str:
        """All but the oldest, (n, 1, history - 1, width)."""
        _, _, kept, width = self._network.memory_shape
        return self._shaped(self._graph.apply("Slice", heeded, "one", "last", "one"), 0, 1, kept, width)

    def _attend(self, query: str, keys: str, values: str) -> str:
        graph, heads, width = self._graph, self._network.heads, self._network.width
        apart = (0, self._network.history, heads, width // heads)
        asked = graph.apply("Mul", self._shaped(query, 0, heads, 1, width // heads), "scale")
        turned = graph.apply("Transpose", self._shaped(keys, *apart), perm=(0, 2, 3, 1))
        shares = graph.apply(
            "Softmax", graph.apply("Add", graph.apply("MatMul", asked, turned), "near"), axis=-1
        )
        told = graph.apply("Transpose", self._shaped(values, *apart), perm=(0, 2, 1, 3))
        return self._shaped(graph.apply("MatMul", shares, told), 0, width)

    def _norm(self, token: str, name: str) -> str:
        graph = self._graph
        square = graph.apply("ReduceMean", graph.apply("Mul", token, token), axes=(1,), keepdims=1)
        length = graph.apply("Sqrt", graph.apply("Add", square, "least"))
        return graph.apply(
            "Mul", graph.apply("Div", token, length), graph.constant(f"{name}.gain", self._of[name])
        )

    def _product(self, values: str, name: str) -> str:
        return self._graph.apply("MatMul", values, self._graph.constant(name, self._of[name].T))

    def _layer(self, values: str, name: str) -> str:
        return self._graph.layer(values, name, self._of[f"{name}.weight"], self._of[f"{name}.bias"])

    def _shaped(self, values: str, *shape: int) -> str:
        """Of this shape; 0 keeps an axis as long as it is."""
        name = self._graph.constant("shape." + ".".join(map(str, shape)), np.array(shape))
        return self._graph.apply("Reshape", values, name)
