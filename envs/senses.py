"""What a robot senses: quantities through its miscalibrated, late and noisy sensors, over their scales."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.figures import Figures
from envs.format import Observed, TaskFile
from envs.late import Late
from envs.quantities import Quantities
from envs.values import Floats, Indices

__all__ = ["LIMIT", "Senses"]

LIMIT = 10.0
"""Every observed number is clipped to [-LIMIT, LIMIT]."""


class Senses:
    """The observation of all simulations, assembled from the quantities."""

    def __init__(self, file: TaskFile, quantities: Quantities, figures: Figures) -> None:
        self._quantities = quantities
        columns = [quantities.columns(channel.of, channel.part) for channel in file.observation]
        sizes = [len(each) for each in columns]
        self._columns = np.concatenate(columns)
        self._gain = 1.0 / np.repeat([channel.scale for channel in file.observation], sizes)
        starts = np.cumsum([0, *sizes])
        deviation, offset = np.zeros(starts[-1]), np.zeros(starts[-1])
        self._turns: list[tuple[slice, Floats]] = []
        for channel, begin, end in zip(file.observation, starts, starts[1:], strict=False):
            deviation[begin:end] = float(figures.fixed(channel.noise)[0]) / (channel.lever or 1.0)
            if channel.offset:
                offset[begin:end] = figures.fixed(channel.offset)
            if channel.turn:
                self._add_turn(int(begin), int(end), _turn(float(figures.fixed(channel.turn)[0])))
        noisy = np.flatnonzero(deviation)
        # What is sensed with noise mostly stands together; a slice is quicker than a list of columns.
        self._noisy = slice(noisy[0], noisy[-1] + 1) if len(noisy) else slice(0)
        self._deviation = deviation[self._noisy]
        self._offset = offset if offset.any() else None
        self._late = [
            (columns, Late(delay, figures, len(columns)))
            for delay, columns in _late_columns(file.observation, sizes).items()
        ]

    def forget(self, copies: Indices) -> None:
        """New episodes begin in these copies: what they sense first, they seem to have sensed before."""
        for columns, late in self._late:
            late.forget(copies, self._quantities.values[np.ix_(copies, self._columns[columns])])

    def read(self, noise: np.random.Generator) -> NDArray[np.float32]:
        """Observations (count, size) now; one draw of noise a call."""
        seen = self._quantities.values.take(self._columns, axis=1)
        for columns, late in self._late:
            seen[:, columns] = late.after(seen[:, columns])
        for part, turn in self._turns:
            vectors = seen[:, part].reshape(len(seen), -1, 3)
            seen[:, part] = (vectors @ turn).reshape(len(seen), -1)
        if self._offset is not None:
            seen += self._offset
        if len(self._deviation):
            seen[:, self._noisy] += noise.standard_normal((len(seen), len(self._deviation))) * self._deviation
        seen *= self._gain
        return np.clip(seen, -LIMIT, LIMIT, out=seen).astype(np.float32)

    def _add_turn(self, begin: int, end: int, turn: Floats) -> None:
        if self._turns and self._turns[-1][0].stop == begin and np.array_equal(self._turns[-1][1], turn):
            begin = self._turns.pop()[0].start
        self._turns.append((slice(begin, end), turn))


def _late_columns(channels: Sequence[Observed], sizes: Sequence[int]) -> dict[int | str, Indices]:
    """The columns of the observation by their delay, of those that have one."""
    delays = [channel.delay for channel, size in zip(channels, sizes, strict=True) for _ in range(size)]
    distinct = [delay for delay in dict.fromkeys(delays) if delay != 0]
    return {
        delay: np.array([column for column, own in enumerate(delays) if own == delay]) for delay in distinct
    }


def _turn(angle: float) -> Floats:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
