"""What a robot remembers of its own experience, to learn from it again; the oldest is overwritten.

RLlib's buffer keeps episodes and cuts them anew for each batch (docs/adr/0019 has the times); here a step is
a row of arrays. It does not outlive the process.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Replay"]


class Replay:
    """The last `capacity` steps; memory is taken as it fills.

    Args:
        capacity: How many.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._columns: dict[str, NDArray[np.float32]] = {}
        self._added = 0

    def __len__(self) -> int:
        return min(self._added, self._capacity)

    def add(self, columns: Mapping[str, NDArray[np.float32]]) -> None:
        """Remember steps, (steps, ...) each; always the same columns."""
        for name, column in columns.items():
            if name not in self._columns:
                self._columns[name] = np.zeros((self._capacity, *column.shape[1:]), np.float32)
            last = column[-self._capacity :]
            first = self._added + len(column) - len(last)
            self._columns[name][(first + np.arange(len(last))) % self._capacity] = last
        self._added += len(column)

    def draw(self, count: int) -> dict[str, Tensor]:
        """Steps at random, each perhaps more than once, (count, ...)."""
        rows = torch.randint(len(self), (count,)).numpy()
        return {name: torch.from_numpy(column[rows]) for name, column in self._columns.items()}
