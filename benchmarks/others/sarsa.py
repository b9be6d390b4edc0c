"""FedSARSA with linear features (Zhang, Wang, Mitra, Anderson, ICLR 2024): how far from the fixed point.

The world is the one of the authors' own simulation (github.com/zcysxy/FedSarsa-code, March 2023, whose plot
"K = 30, rel err = 0" shows the floors that are compared here). What merges is `hub.merging`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.others.experiment import Claim, Experiment, Of, Run
from hub.merging import make_chain, merge
from hub.merging.cpu import CpuEngine

__all__ = ["SARSA"]

STATES, KINDS = 100, 5  # states; kinds of state, and of action, that the features tell apart
REWARD, DISCOUNT, STEP = 100.0, 0.2, 0.1
GREED = 0.01  # what values are multiplied with in the policy; the paper's proofs want a smooth one
LOCAL, LAST = 30, 15_000  # own steps between two merges, and in all
SETTLED = 5_000  # from here on the error is averaged: it no longer falls
RUNS = 5  # trajectories over which one seed's error is averaged
REFERENCES, REFERENCE_STEPS = 10, 75_000
FLOORS = {1: 34.0, 2: 25.0, 5: 17.0, 10: 13.5, 20: 12.0}
BETTER = "error to a better reference"
WITHIN = 0.15  # of a reported floor

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """A Markov decision process whose actions, numbers from 0 to 1, shift rows and columns of one kernel.

    Attributes:
        reward: (states,).
        cumulated: (states, states), rows of the kernel summed up.
    """

    reward: Floats
    cumulated: Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> World:
        """Uniform rewards and a uniform kernel with rows brought to 1."""
        reward, kernel = rng.random(STATES) * REWARD, rng.random((STATES, STATES))
        return cls(reward, np.cumsum(kernel / kernel.sum(axis=1, keepdims=True), axis=1))

    def follow(
        self, states: NDArray[np.int64], actions: Floats, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """(n,) next states."""
        shift = np.rint(actions * STATES**2).astype(np.int64)
        rows = np.rint(shift / STATES).astype(np.int64)
        chosen = self.cumulated[(states - rows) % STATES]
        column = (chosen < rng.random((len(states), 1)) * chosen[:, -1:]).sum(axis=1)
        reached: NDArray[np.int64] = (column + shift - rows * STATES) % STATES
        return reached


class Walkers:
    """n learners side by side, each with its own weights and where it is; the policy is a softmax of values.

    Args:
        world: All walk in the same one.
        count: n.
        rng: Theirs.
    """

    def __init__(self, world: World, count: int, rng: np.random.Generator) -> None:
        self.weights = np.zeros((count, KINDS * KINDS))
        self._world, self._rng, self._all = world, rng, np.arange(count)
        self._states = np.zeros(count, np.int64)
        self._actions, self._features = self._act(self._states)

    def step(self) -> None:
        """One step of SARSA each."""
        reward = self._world.reward[self._states]
        states = self._world.follow(self._states, self._actions, self._rng)
        actions, features = self._act(states)
        old, new = self.weights[self._all, self._features], self.weights[self._all, features]
        self.weights[self._all, self._features] = old + STEP * (reward + DISCOUNT * new - old)
        self._states, self._actions, self._features = states, actions, features

    def _act(self, states: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
        """An action each, and the number of the feature that it and the state switch on."""
        first = states % KINDS * KINDS
        values = self.weights[self._all[:, None], first[:, None] + np.arange(KINDS)]
        kinds = np.argmax(GREED * values + self._rng.gumbel(size=values.shape), axis=1)
        hundredths = self._rng.integers(STATES // KINDS, size=len(states)) * KINDS + kinds
        return (hundredths + self._rng.random(len(states))) / STATES, first + kinds


@cache
def references(seed: int, steps: int) -> tuple[World, Floats, Floats]:
    """A world and its fixed point twice: the mean of ten runs' last weights, as theirs; of all late ones."""
    rng = np.random.default_rng([seed, 0])
    world = World.drawn(rng)
    alone, late = Walkers(world, REFERENCES, rng), np.zeros(KINDS * KINDS)
    for number in range(steps):
        alone.step()
        if number >= steps // 3:
            late += alone.weights.mean(axis=0)
    return world, alone.weights.mean(axis=0), late / (steps - steps // 3)


def floor(agents: int) -> Run:
    """Distances of the merged weights from both fixed points, once they no longer fall."""

    def run(seed: int, quick: bool) -> dict[str, float]:
        world, last, mean = references(seed, REFERENCE_STEPS // (10 if quick else 1))
        rng = np.random.default_rng([seed, agents])
        fleet, chain, engine = Walkers(world, RUNS * agents, rng), make_chain("mean"), CpuEngine(1)
        base, errors = np.zeros((RUNS, KINDS * KINDS)), []
        for number in range(1, LAST // (5 if quick else 1) + 1):
            fleet.step()
            if number % LOCAL:
                continue
            for place, own in enumerate(fleet.weights.reshape(RUNS, agents, -1)):
                deltas = [{"theta": each - base[place]} for each in own]
                base[place] += merge(deltas, None, chain, engine=engine).tensors["theta"]
                own[:] = base[place]
            if number > SETTLED // (5 if quick else 1):
                errors.append([np.linalg.norm(base - to, axis=1).mean() for to in (last, mean)])
        theirs, exact = np.mean(errors, axis=0)
        return {"error": float(theirs), BETTER: float(exact)}

    return run


def _near(of: Of) -> bool:
    return all(
        abs(of(f"N = {agents}", "error") / reported - 1) <= WITHIN for agents, reported in FLOORS.items()
    )


SARSA = Experiment(
    title="FedSARSA: the error falls with the number of agents",
    source="Zhang, Wang, Mitra, Anderson: Finite-time analysis of on-policy heterogeneous federated "
    "reinforcement learning, ICLR 2024.",
    theirs="the distance to the fixed point ends at 34, 25, 17, 13.5 and 12 with 1, 2, 5, 10 and 20 agents "
    "(the plot with K = 30 and no heterogeneity in their repository).",
    ours="the same world drawn anew for each seed (100 states, discount .2, step .1, a merge every 30 steps, "
    "15,000 steps, like agents; the policy a softmax of .01 of the values, as in their last code), the "
    "mean of five trajectories. Their fixed point is the mean of the last weights of ten runs; "
    "a better one is the mean of all late weights of the same runs.",
    cases={f"N = {agents}": floor(agents) for agents in FLOORS},
    figures={"error": ".1f", BETTER: ".1f"},
    reported={f"N = {agents}": f"{reported:g}" for agents, reported in FLOORS.items()},
    claims=(
        Claim("each floor within 15 % of theirs", _near),
        Claim(
            "the squared error falls as 1 / N (their theorem), within 15 % for the error; their curves "
            "flatten, for their reference is a mean of ten runs and as noisy as ten agents",
            lambda of: abs(of("N = 1", BETTER) / of("N = 20", BETTER) / 20**0.5 - 1) <= WITHIN,
        ),
    ),
    seeds=5,
)
