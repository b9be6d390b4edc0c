"""What liars do to a control variate, and so to learning: `python -m benchmarks.variates`, minutes on a core.

Eight robots fit one network to eight unlike homes: each sees its own alone, and what is right there shows in
what it observes. Two of them send honest weights, and lie in their variates alone. Plain numpy, no hub; each
part is merged by itself, as `hub.workers.merge_round` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks import flatten, forge, unflatten
from hub.merging import merge_arrays
from skills.networks.mlp import Mlp
from skills.parts import LONGEST_CHANGE, TRAINING, by_part, policy_of

Vector = NDArray[np.float64]
Tensors = dict[str, Vector]

ROBOTS, LIARS = 8, 2
HONEST = ROBOTS - LIARS
NETWORK = Mlp(inputs=8, outputs=2, hidden=(32,))
HINTS = 4  # of the inputs say, with noise, whose home it is
STEPS, RATE, BATCH = 20, 0.1, 64
BYZANTINE = {"byzantine": LIARS}
TRIMMED = {"rule": "trimmed-mean", "trim": LIARS / ROBOTS, **BYZANTINE}
RULES: dict[str, dict[str, Any]] = {
    "mean": {"rule": "mean"},
    "clip+mean": {"rule": "mean", "clip": 1.0},
    "trimmed-mean": TRIMMED,
    "median": {"rule": "median", **BYZANTINE},
    "krum": {"rule": "krum", **BYZANTINE},
    "mda": {"rule": "mda", **BYZANTINE},
    "mixing+trimmed-mean": {**TRIMMED, "mixing": True},
    "mixing+median": {"rule": "median", "mixing": True, **BYZANTINE},
}
LONG, HIDDEN = ("sign-flip", "random"), ("alie-", "min-max")
LIES = ("none", *LONG, *HIDDEN)
VARIATE = f"{TRAINING}variate."

PAGE = Path(__file__).resolve().parent.parent / "docs" / "merging.md"
BEGIN, END = "<!-- variates -->", "<!-- /variates -->"


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
    """All robots of one campaign, and what they share."""

    def __init__(self, seed: int, *, variates: bool = True) -> None:
        rng = np.random.default_rng([seed, 0])
        self._common = rng.standard_normal((2, NETWORK.inputs - HINTS))
        self._homes = [Home.draw(rng) for _ in range(ROBOTS)]
        self._seed, self._variates = seed, variates
        start = policy_of(NETWORK.initial(np.random.default_rng(seed), log_std=0.0, first_layer=1.0))
        self._weights: Tensors = {name: each.astype(np.float64) for name, each in start.items()}
        self._variate: Tensors = {name: np.zeros(each.shape) for name, each in self._weights.items()}
        self._own = [self._variate] * ROBOTS

    def deltas(self, number: int) -> list[Tensors]:
        """What the robots would send in a round if none lied; they keep their variates."""
        rounds = [self._train(robot, number) for robot in range(ROBOTS)]
        self._own = [own for _, own in rounds]
        return [
            {name: each - self._weights[name] for name, each in weights.items()}
            | {VARIATE + name: each - self._variate[name] for name, each in own.items()}
            for weights, own in rounds
        ]

    def take(self, deltas: Sequence[Tensors], rule: str) -> None:
        """Merge a round, each part by itself."""
        parts = [by_part(each) for each in deltas]
        mean = merge_arrays([each["network"] for each in parts], **RULES[rule])
        self._weights = {name: each + mean[name] for name, each in self._weights.items()}
        if self._variates:
            mean = merge_arrays([each["variate"] for each in parts], **RULES[rule])
            self._variate = {name: each + mean[VARIATE + name] for name, each in self._variate.items()}

    def loss(self) -> float:
        """Mean squared error over all homes."""
        rng = np.random.default_rng([self._seed, 1])
        batches = (home.batch(rng, 512, self._common) for home in self._homes)
        return float(np.mean([gradient(self._weights, *each)[0] for each in batches]))

    def _train(self, robot: int, number: int) -> tuple[Tensors, Tensors]:
        """Weights after a round's steps, and the mean of their gradients."""
        rng = np.random.default_rng([self._seed, 2, robot, number])
        weights, own = self._weights, {name: np.zeros(each.shape) for name, each in self._weights.items()}
        for _ in range(STEPS):
            _, found = gradient(weights, *self._homes[robot].batch(rng, BATCH, self._common))
            own = {name: each + found[name] / STEPS for name, each in own.items()}
            if self._variates:
                found = {n: each - self._own[robot][n] + self._variate[n] for n, each in found.items()}
            weights = {name: each - RATE * found[name] for name, each in weights.items()}
        return weights, own


def lied(lie: str, deltas: Sequence[Tensors], rng: np.random.Generator) -> list[Tensors]:
    """The deltas of a round, of which the last have another variate."""
    if lie == "none":
        return list(deltas)
    honest = [by_part(each)["variate"] for each in deltas[:HONEST]]
    if lie in LONG:
        mean = flatten(honest).mean(axis=0)
        rows = np.tile(-mean, (LIARS, 1)) if lie == "sign-flip" else rng.standard_normal((LIARS, len(mean)))
        rows *= LONGEST_CHANGE / np.linalg.norm(rows, axis=1, keepdims=True)
    else:
        rows = flatten(forge(lie, honest, LIARS, rng))
    variates = [unflatten(row, honest[0]) for row in rows]
    return [*deltas[:HONEST], *(each | lie for each, lie in zip(deltas[HONEST:], variates, strict=True))]


def losses(rule: str, lie: str, seeds: Sequence[int], rounds: int, *, variates: bool = True) -> float:
    """Mean loss after a campaign."""
    found = []
    for seed in seeds:
        guild, rng = Guild(seed, variates=variates), np.random.default_rng(seed)
        for number in range(rounds):
            guild.take(lied(lie, guild.deltas(number), rng), rule)
        found.append(guild.loss())
    return float(np.mean(found))


def errors(seeds: Sequence[int], rounds: int) -> dict[tuple[str, str], float]:
    """How far the merged variate is from the mean of those who do not lie, where nobody did before.

    In their spreads: the root mean square distance of their variates from that mean.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for seed in seeds:
        guild, rng = Guild(seed), np.random.default_rng(seed)
        for number in range(rounds):
            deltas = guild.deltas(number)
            for lie, rule in product(LIES, RULES):
                variates = [by_part(each)["variate"] for each in lied(lie, deltas, rng)]
                honest = flatten(variates[: ROBOTS if lie == "none" else HONEST])
                mean = honest.mean(axis=0)
                spread = np.sqrt(np.square(honest - mean).sum(axis=1).mean())
                merged = flatten([merge_arrays(variates, **RULES[rule])])[0]
                found.setdefault((rule, lie), []).append(float(np.linalg.norm(merged - mean) / spread))
            guild.take(deltas, "mean")
    return {key: float(np.mean(each)) for key, each in found.items()}


def table(seeds: Sequence[int], rounds: int) -> str:
    """Both figures for each rule and lie, in Markdown."""
    away = errors(seeds, rounds)
    without = losses("mean", "none", seeds, rounds, variates=False)
    intro = (
        f"Loss after {rounds} rounds / how far the variate is from that of the honest, in their spreads; "
        f"{LIARS} of {ROBOTS} robots lie, mean of {len(seeds)} campaigns. Without variates and without lies "
        f"the mean reaches {without:.2f}."
    )
    rows = [
        intro,
        "",
        f"| rule | {' | '.join(LIES)} |",
        f"|---|{'---|' * len(LIES)}",
    ]
    for rule in RULES:
        cells = (f"{losses(rule, lie, seeds, rounds):.2f} / {away[rule, lie]:.2f}" for lie in LIES)
        rows.append(f"| {rule} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    """Print the table, and put it on the page for operators where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--write", action="store_true", help="the table into docs/merging.md")
    options = parser.parse_args()
    found = table(options.seeds, options.rounds)
    print(found)
    if options.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{found}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
