"""From a rollout to what a learner reads: single steps, or sequences where a network learns through time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fleet.training.sampler import Rollout

__all__ = ["MASK", "MEMORY", "mean", "minibatches", "sequences", "steps"]

Array = NDArray[np.float32]
MASK = "mask"
"""Column of sequences: 1 where a step is real, 0 where it only fills up."""
MEMORY = "memory"
"""Column: what the network remembered before the step, or before the sequence."""


def steps(rollout: Rollout, columns: Mapping[str, Array]) -> dict[str, Tensor]:
    """The real steps of all environments, (steps, ...), each for itself.

    Args:
        rollout: Says which steps are real.
        columns: (steps, envs, ...) each; one more row is left aside.
    """
    real = rollout.real
    return {name: torch.from_numpy(column[: len(real)][real]) for name, column in columns.items()}


def sequences(rollout: Rollout, columns: Mapping[str, Array]) -> dict[str, Tensor]:
    """The real steps in their order, (sequences, longest, ...), each sequence from one episode.

    `MEMORY` has one row a sequence: what was remembered before its first step. `MASK` is added.
    """
    pieces = list(_pieces(rollout))
    longest = max(stop - start for _, start, stop in pieces)
    cut: dict[str, Tensor] = {}
    for name, column in columns.items():
        if name == MEMORY:
            cut[name] = torch.from_numpy(np.stack([column[start, env] for env, start, _ in pieces]))
            continue
        filled = np.zeros((len(pieces), longest, *column.shape[2:]), dtype=np.float32)
        for place, (env, start, stop) in enumerate(pieces):
            filled[place, : stop - start] = column[start:stop, env]
        cut[name] = torch.from_numpy(filled)
    lengths = torch.tensor([stop - start for _, start, stop in pieces])
    cut[MASK] = (torch.arange(longest) < lengths[:, None]).float()
    return cut


def minibatches(batch: Mapping[str, Tensor], size: int, epochs: int) -> Iterator[dict[str, Tensor]]:
    """Each epoch all rows once, in a new order, about `size` of their steps at a time."""
    rows = len(next(iter(batch.values())))
    steps = int(batch[MASK].sum()) if MASK in batch else rows
    count = max(1, round(steps / size))
    for _ in range(epochs):
        for chosen in torch.tensor_split(torch.randperm(rows), min(count, rows)):
            yield _shortened({name: column[chosen] for name, column in batch.items()})


def _shortened(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Sequences without the steps that only fill up all of them."""
    if MASK not in batch:
        return batch
    longest = int(batch[MASK].sum(1).max())
    return {name: column if name == MEMORY else column[:, :longest] for name, column in batch.items()}


def mean(numbers: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Over all real steps of a batch."""
    if MASK not in batch:
        return numbers.mean()
    return (numbers * batch[MASK]).sum() / batch[MASK].sum()


def _pieces(rollout: Rollout) -> Iterator[tuple[int, int, int]]:
    """Environment, first step and the step behind the last of each stretch without an end or a reset."""
    for env in range(rollout.real.shape[1]):
        real, done = rollout.real[:, env], rollout.done[:, env]
        start = 0
        for stop in [*(np.flatnonzero(done & real) + 1).tolist(), len(real)]:
            first = start + int(start < stop and not real[start])
            if first < stop:
                yield env, first, stop
            start = stop
