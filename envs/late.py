"""What was so many steps ago: commands on their way to the robot, sensors that tell late.

How late may be a number, or a figure of the robots or the jobs, control steps; each simulation has its own.
"""

from __future__ import annotations

import numpy as np

from envs.figures import Figures
from envs.values import Floats, Indices

__all__ = ["DELAY", "MOST_DELAY", "Late"]

DELAY = "delay"
"""The figure by which every drive is late, where a task has it."""
MOST_DELAY = 20
"""Control steps."""


class Late:
    """Remembers numbers (count, size) of all simulations as long as the workshop can need them.

    Args:
        delay: Control steps, or the figure that says it.
        figures: Of the workshop and its jobs.
        size: Numbers in each simulation.
    """

    def __init__(self, delay: int | str, figures: Figures, size: int) -> None:
        count = figures.count
        if isinstance(delay, str):
            self._steps, most = figures.of(delay)[:, 0], int(figures.most(delay))
        else:
            self._steps, most = np.full(count, float(delay)), delay
        self._memory, self._copies = np.zeros((most + 1, count, size)), np.arange(count)

    def forget(self, copies: Indices, values: Floats) -> None:
        """In these copies it has always been so, values (copies, size)."""
        self._memory[:, copies] = values

    def after(self, values: Floats) -> Floats:
        """Take what is now, (count, size), and give what was `delay` steps ago."""
        if len(self._memory) == 1:
            return values
        self._memory[1:] = self._memory[:-1].copy()
        self._memory[0] = values
        return self._memory[self._steps.astype(np.int64), self._copies]
