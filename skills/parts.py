"""The parts of a skill: its policy, which acts, and what only helps to train: critic, variate, moments.

Names decide. What a round's delta has of it follows from the plan (`skills.delta.shapes_of_delta`); how a
robot makes its numbers is its trainer's business, how they are merged `hub.workers.merge_round`'s.

A skill may *carry*, for each tensor of its policy, a control variate c, which is the mean of its robots'
gradients (SCAFFOLD: Karimireddy et al. 2020), and the moments of gradients that they begin a round with.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeVar

__all__ = [
    "CARRIED",
    "CRITIC",
    "LONGEST_CHANGE",
    "TRAINING",
    "Carried",
    "by_part",
    "carried_shapes",
    "is_carried",
    "is_training",
    "network_of",
    "part_of",
    "policy_of",
]

Carried = Literal["variate", "first", "second"]
"""Control variate, first moment, root of the second: tensors `training.<this>.<tensor of the policy>`.

The root, because squares of such small numbers vanish in small codecs, and steps are divided by it.
"""

T = TypeVar("T")

CARRIED: tuple[Carried, ...] = ("variate", "first", "second")
CRITIC, TRAINING = "critic.", "training."

LONGEST_CHANGE = 2.0
"""Euclidean norm that a delta of a carried part has at most.

A variate is a mean of gradients, each clipped to norm 1, so no longer than 1 itself, and neither is a mean of
variates: their difference is at most 2. A first moment is a weighted mean of variates, from 0 on, and the
second one of their squares, so that its root is no longer than the longest of them.
"""


def is_training(name: str) -> bool:
    """Whether a tensor only helps to train; the others are the policy."""
    return name.startswith((CRITIC, TRAINING))


def is_carried(name: str) -> bool:
    """Whether a tensor is no weight of the network."""
    return name.startswith(TRAINING)


def part_of(name: str) -> str:
    """`network` for a weight of policy or critic, else which of the carried parts the tensor belongs to."""
    return name.split(".")[1] if is_carried(name) else "network"


def by_part(tensors: Mapping[str, T]) -> dict[str, dict[str, T]]:
    """Tensors or their shapes, sorted by part, see `part_of`."""
    found: dict[str, dict[str, T]] = {}
    for name, each in tensors.items():
        found.setdefault(part_of(name), {})[name] = each
    return found


def policy_of(tensors: Mapping[str, T]) -> dict[str, T]:
    """Those that act, of tensors or their shapes."""
    return {name: each for name, each in tensors.items() if not is_training(name)}


def network_of(tensors: Mapping[str, T]) -> dict[str, T]:
    """Those of policy and critic, of tensors or their shapes."""
    return {name: each for name, each in tensors.items() if not is_carried(name)}


def carried_shapes(
    network: Mapping[str, tuple[int, ...]], carries: Iterable[Carried]
) -> dict[str, tuple[int, ...]]:
    """Shapes of what is carried for a network with these shapes."""
    policy = policy_of(network).items()
    return {f"{TRAINING}{part}.{name}": shape for part in carries for name, shape in policy}
