"""What liars do to a control variate, and so to learning: `python -m benchmarks.variates`, minutes on a core.

Eight robots fit one network to eight unlike homes: each sees its own alone and must tell it by what it
observes. Two of them send honest weights, but a variate as long as admission lets it be. Plain numpy, no hub:
the merge is `hub.merging`'s. What variates are for is shown by the same campaign without them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks import flatten, forge, unflatten
from hub.merging import merge_arrays
from skills.initial import initial_tensors
from skills.manifest import Network
from skills.parts import LONGEST_CHANGE, TRAINING, policy_of

Vector = NDArray[np.float64]
Tensors = dict[str, Vector]

ROBOTS, LIARS = 8, 2
NETWORK = Network(inputs=8, outputs=2, hidden=(32,))
HINTS = 4  # of the inputs say, with noise, whose home it is
STEPS, RATE, BATCH = 20, 0.1, 64
RULES: dict[str, dict[str, Any]] = {
    "mean": {"rule": "mean"},
    "clip+mean": {"rule": "mean", "clip": 1.0},
    "trimmed-mean": {"rule": "trimmed-mean", "trim": LIARS / ROBOTS, "byzantine": LIARS},
    "median": {"rule": "median", "byzantine": LIARS},
    "krum": {"rule": "krum", "byzantine": LIARS},
    "mixing+trimmed-mean": {
        "rule": "trimmed-mean",
        "trim": LIARS / ROBOTS,
        "byzantine": LIARS,
        "mixing": True,
    },
}
LIES = ("none", "sign-flip", "random", "alie-")
VARIATE = f"{TRAINING}variate."


@dataclass(frozen=True)
class Home:
    """What one robot sees: its observations and the actions that are right there."""

    hint: Vector
    matrix: Vector

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Home:
        """Homes share half of what is right."""
        return cls(rng.standard_normal(HINTS), rng.standard_normal((2, NETWORK.inputs - HINTS)))

    def batch(self, rng: np.random.Generator, count: int, common: Vector) -> tuple[Vector, Vector]:
        """Observations (count, inputs) and actions (count, outputs)."""
        there = rng.standard_normal((count, NETWORK.inputs - HINTS))
        hints = self.hint + 0.1 * rng.standard_normal((count, HINTS))
        return np.hstack([there, hints]), np.tanh(there @ (common + self.matrix).T / 2)


def gradient(weights: Mapping[str, Vector], inputs: Vector, wanted: Vector) -> tuple[float, Tensors]:
    """Mean squared error and its gradient, clipped to norm 1 as every trainer clips it."""
    hidden = np.tanh(inputs @ weights["actor.0.weight"].T + weights["actor.0.bias"])
    error = hidden @ weights["actor.1.weight"].T + weights["actor.1.bias"] - wanted
    last = 2 * error / len(inputs)
    first = (last @ weights["actor.1.weight"]) * (1 - hidden**2)
    found = {
        "actor.0.weight": first.T @ inputs,
        "actor.0.bias": first.sum(axis=0),
        "actor.1.weight": last.T @ hidden,
        "actor.1.bias": last.sum(axis=0),
        "log_std": np.zeros(NETWORK.outputs),
    }
    length = np.sqrt(sum(np.square(each).sum() for each in found.values()))
    return float(np.square(error).sum(axis=1).mean()), {n: g / max(1.0, length) for n, g in found.items()}


class Guild:
    """All homes, and what their robots keep."""

    def __init__(self, seed: int, *, variates: bool = True) -> None:
        rng = np.random.default_rng([seed, 0])
        self.common = rng.standard_normal((2, NETWORK.inputs - HINTS))
        self.homes = [Home.draw(rng) for _ in range(ROBOTS)]
        self._seed, self._variates = seed, variates
        start = initial_tensors(NETWORK, seed=seed, log_std=0.0, first_layer=1.0)
        self.weights: Tensors = {name: each.astype(np.float64) for name, each in policy_of(start).items()}
        self.variate: Tensors = {name: np.zeros(each.shape) for name, each in self.weights.items()}
        self.own = [self.variate] * ROBOTS

    def deltas(self, number: int) -> list[Tensors]:
        """What all robots would send in a round if none lied."""
        return [self._trained(robot, number) for robot in range(ROBOTS)]

    def take(self, deltas: Sequence[Tensors], rule: str) -> None:
        """Merge a round; robots keep what they sent of their variates, but liars lie to nobody at home."""
        merged = merge_arrays(deltas, **RULES[rule])
        self.weights = {name: each + merged[name] for name, each in self.weights.items()}
        if self._variates:
            self.variate = {n: each + merged[VARIATE + n] for n, each in self.variate.items()}

    def loss(self) -> float:
        """Mean squared error over all homes, on batches of its own."""
        rng = np.random.default_rng([self._seed, 1])
        batches = (home.batch(rng, 512, self.common) for home in self.homes)
        return float(np.mean([gradient(self.weights, *each)[0] for each in batches]))

    def _trained(self, robot: int, number: int) -> Tensors:
        rng = np.random.default_rng([self._seed, 2, robot, number])
        weights, mean = dict(self.weights), {n: np.zeros(w.shape) for n, w in self.weights.items()}
        for _ in range(STEPS):
            _, found = gradient(weights, *self.homes[robot].batch(rng, BATCH, self.common))
            mean = {name: each + found[name] / STEPS for name, each in mean.items()}
            if self._variates:
                found = {n: g - self.own[robot][n] + self.variate[n] for n, g in found.items()}
            weights = {name: each - RATE * found[name] for name, each in weights.items()}
        self.own = [mean if each == robot else kept for each, kept in enumerate(self.own)]
        learned = {name: each - self.weights[name] for name, each in weights.items()}
        return learned | {VARIATE + name: each - self.variate[name] for name, each in mean.items()}


def lied(lie: str, deltas: Sequence[Tensors], rng: np.random.Generator) -> list[Tensors]:
    """The deltas, of which the last robots' variates are lies as long as admission takes."""
    if lie == "none":
        return list(deltas)
    honest = [variate_of(each) for each in deltas[: ROBOTS - LIARS]]
    if lie == "random":
        rows = rng.standard_normal((LIARS, flatten(honest).shape[1]))
    elif lie == "sign-flip":
        rows = np.tile(-flatten(honest).mean(axis=0), (LIARS, 1))
    else:
        rows = flatten(forge(lie, honest, LIARS, rng))
    if lie != "alie-":
        rows *= LONGEST_CHANGE / np.linalg.norm(rows, axis=1, keepdims=True)
    liars = [
        each | unflatten(row, honest[0]) for each, row in zip(deltas[ROBOTS - LIARS :], rows, strict=True)
    ]
    return [*deltas[: ROBOTS - LIARS], *liars]


def variate_of(delta: Mapping[str, Vector]) -> Tensors:
    """Its control variate's tensors."""
    return {name: each for name, each in delta.items() if name.startswith(VARIATE)}
