"""A network as a graph of operators, written down step by step: what `skills.onnx_file` makes a file of.

Operators are those of ONNX by name, so that a kind of network needs no package to describe itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Graph", "Node"]


@dataclass(frozen=True)
class Node:
    """One operator: what goes in and comes out by name, and its attributes."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int | tuple[int, ...]]


@dataclass
class Graph:
    """Nodes in the order in which they are computed, and the constants that they read, by name."""

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray[Any]] = field(default_factory=dict)

    def constant(self, name: str, numbers: NDArray[Any]) -> str:
        """Keep float32 or int64 numbers under this name, and return it."""
        self.constants[name] = np.asarray(numbers, order="C")
        return name

    def apply(self, operator: str, *inputs: str, name: str = "", **attributes: int | tuple[int, ...]) -> str:
        """One operator with one output; returns its name."""
        return self.split(operator, *inputs, count=1, name=name, **attributes)[0]

    def split(
        self, operator: str, *inputs: str, count: int, name: str = "", **attributes: int | tuple[int, ...]
    ) -> tuple[str, ...]:
        """One operator with so many outputs; returns their names."""
        first = name or f"{operator.lower()}.{len(self.nodes)}"
        outputs = (first,) if count == 1 else tuple(f"{first}.{number}" for number in range(count))
        self.nodes.append(Node(operator, inputs, outputs, attributes))
        return outputs

    def layer(self, values: str, name: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """`values @ weight.T + bias`, the weight as (out, in) like all of ours."""
        product = self.apply("MatMul", values, self.constant(f"{name}.weight", weight.T))
        return self.apply("Add", product, self.constant(f"{name}.bias", bias))
