"""CartPole-v1 for small policies: many trajectories side by side, and the policy gradient of what was seen.

The policy and its gradient (GPOMDP) are those of Fan et al. 2021. Who merges gradients is `fedpg`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Literal

import gymnasium as gym
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

__all__ = ["Batch", "How", "Weights", "first_weights", "gradient", "join", "log_chances", "play"]

LONGEST, DISCOUNT = 500, 0.999
SIZES = (4, 16, 16, 2)

How = Literal["drawn", "likeliest", "any"]
Weights = dict[str, NDArray[np.float64]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Batch:
    """Whole trajectories, one after the other.

    Attributes:
        seen: (steps, 4).
        done: (steps,) actions.
        worth: (steps,) discounted return from there on, brought to mean 0 and deviation 1 in each trajectory.
        lengths: (trajectories,), which are also the returns.
    """

    seen: Floats
    done: NDArray[np.int64]
    worth: Floats
    lengths: NDArray[np.int64]


def first_weights(rng: np.random.Generator) -> Weights:
    """Uniform within one over the root of the last dimension."""
    shapes = {
        f"{kind}{layer}": shape
        for layer, (inside, outside) in enumerate(pairwise(SIZES))
        for kind, shape in (("weight", (outside, inside)), ("bias", (outside,)))
    }
    return {name: rng.uniform(-1, 1, shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}


def play(weights: Weights, count: int, rng: np.random.Generator, how: How = "drawn") -> list[Batch]:
    """`count` trajectories with actions drawn from the policy, its likeliest ones, or any; a batch each."""
    envs = _cartpoles(count)
    seen, _ = envs.reset(seed=int(rng.integers(2**31)))
    record_seen = np.zeros((LONGEST, count, SIZES[0]))
    record_done = np.zeros((LONGEST, count), np.int64)
    lengths = np.full(count, LONGEST)
    running = np.ones(count, bool)
    for step in range(LONGEST):
        chance = np.full(count, 0.5) if how == "any" else np.exp(_forward(weights, seen)[:, 1])
        done = ((0.5 if how == "likeliest" else rng.random(count)) < chance).astype(np.int64)
        record_seen[step], record_done[step] = seen, done
        seen, _, fallen, _, _ = envs.step(done)
        lengths[running & fallen] = step + 1
        running &= ~fallen
        if not running.any():
            break
    return [
        Batch(record_seen[:length, place], record_done[:length, place], _worth(length), np.array([length]))
        for place, length in enumerate(lengths)
    ]


def join(batches: Sequence[Batch]) -> Batch:
    """One batch of several."""
    parts = zip(*((each.seen, each.done, each.worth, each.lengths) for each in batches), strict=True)
    return Batch(*(np.concatenate(part) for part in parts))


def log_chances(weights: Weights, batch: Batch) -> Floats:
    """(steps,) of the actions that were done."""
    return _forward(weights, batch.seen)[np.arange(len(batch.done)), batch.done]


def gradient(weights: Weights, batch: Batch, factors: Floats | None = None) -> Weights:
    """Of the loss: minus the mean over steps of log chance times worth, and times factors where given."""
    leaves = {name: torch.tensor(each, requires_grad=True) for name, each in weights.items()}
    logs = _network(leaves, torch.from_numpy(batch.seen))
    chosen = logs[torch.arange(len(batch.done)), torch.from_numpy(batch.done)]
    worth = batch.worth if factors is None else batch.worth * factors
    loss = -(chosen * torch.from_numpy(worth)).mean()
    found = torch.autograd.grad(loss, list(leaves.values()))
    return {name: each.numpy() for name, each in zip(leaves, found, strict=True)}


def _network(weights: dict[str, torch.Tensor], seen: torch.Tensor) -> torch.Tensor:
    """(steps, 2) log chances: two layers of ReLU, a tanh, a softmax."""
    hidden = seen
    for layer in range(len(SIZES) - 2):
        hidden = functional.relu(
            functional.linear(hidden, weights[f"weight{layer}"], weights[f"bias{layer}"])
        )
    last = len(SIZES) - 2
    logits = torch.tanh(functional.linear(hidden, weights[f"weight{last}"], weights[f"bias{last}"]))
    return functional.log_softmax(logits, dim=1)


def _forward(weights: Weights, seen: Floats) -> Floats:
    """The same in numpy, which is quicker for the few of a step."""
    hidden = seen
    for layer in range(len(SIZES) - 1):
        hidden = hidden @ weights[f"weight{layer}"].T + weights[f"bias{layer}"]
        hidden = np.maximum(hidden, 0) if layer < len(SIZES) - 2 else np.tanh(hidden)
    logs: Floats = hidden - np.log(np.exp(hidden).sum(axis=1, keepdims=True))
    return logs


@cache
def _cartpoles(count: int) -> Any:
    return gym.make_vec("CartPole-v1", num_envs=count, vectorization_mode="vector_entry_point")


def _worth(length: int) -> Floats:
    """A reward of 1 a step, discounted."""
    left = np.arange(length, 0, -1)
    returns = (1 - DISCOUNT**left) / (1 - DISCOUNT)
    worth: Floats = (returns - returns.mean()) / (returns.std(ddof=1) + 1e-20)
    return worth
