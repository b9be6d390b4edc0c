"""What a hall hands up of a round: the sum of its own steps, and the robots and samples behind it. Pure.

With `mean`, raw deltas and as many steps of each hall, the larger hall's merge is that of all robots' deltas
at once, within float64 rounding: a mean of means with the sums of their weights is the mean. Under any other
rule each level keeps its own promise, see docs/merging.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hub.workers.job import DeltaPart
from hub.workers.weights import weight_of
from skills.delta import LazyTensors
from skills.messages.plans import MergePlan, TrainingPlan

__all__ = ["OwnRound", "Share", "share_of"]


@dataclass(frozen=True)
class OwnRound:
    """A round that a hall has run and found good.

    Attributes:
        mean: What its deltas were merged to, float64: the state of a server optimiser without momentum.
    """

    deltas: Sequence[DeltaPart]
    training: TrainingPlan
    plan: MergePlan
    mean: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Share:
    """What is handed up.

    Attributes:
        tensors: The sum of all steps, float64.
        robots: How many brought something: of several rounds the one with most.
        samples: The sum of what their deltas counted, rounded: what this one counts above.
    """

    tensors: Mapping[str, NDArray[np.float64]]
    robots: int
    samples: int


def share_of(rounds: Sequence[OwnRound]) -> Share:
    """What one or more rounds, one upon the other, come to; they are of one network."""
    first = rounds[0]

    def step(name: str) -> NDArray[np.float64]:
        total: NDArray[np.float64] = sum((each.plan.step * each.mean[name] for each in rounds), np.zeros(1))
        return total

    weights = [
        weight_of(delta.samples, delta.staleness, each.plan, each.training, delta.robots)
        for each in rounds
        for delta in each.deltas
    ]
    return Share(
        tensors=LazyTensors(first.mean, step),
        robots=max(sum(delta.robots for delta in each.deltas) for each in rounds),
        samples=max(1, round(sum(weights))),
    )
