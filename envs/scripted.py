"""Controllers that a bundle brings as data: the proof that a task can be done, and the yardstick of skills.

A controller adds up gains on the policy's own observation, and constants, each perhaps times observed
scalars; `envs.format.Feedback` is one part of it. It has no memory. An oracle reads what only the twin
knows as well: where no controller without memory does the task, it shows that the task can be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.format import Feedback, Schedule
from envs.task import Task
from envs.values import Floats, Indices
from skills.errors import ContractError

__all__ = ["Scripted", "controller", "controller_names", "proof"]


class Scripted:
    """One controller of a bundle; stateless.

    Args:
        task: The bundle.
        sides: For each action the parts that are added up.
        told: It reads what only the twin knows, behind the observation.
    """

    def __init__(self, task: Task, sides: Mapping[str, tuple[Feedback, ...]], *, told: bool = False) -> None:
        self.told = told
        channels, begin = {}, 0
        for channel in (*task.contract.observation, *(task.twin if told else ())):
            channels[channel.name] = (slice(begin, begin + channel.size), channel.scale)
            begin += channel.size
        self._channels = channels
        self._actions = [(c.size, c.scale, sides.get(c.name, ())) for c in task.contract.action]

    def begin(self) -> Scripted:
        """Itself: it remembers nothing."""
        return self

    def act(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Action for one observation (size,) or many (n, size), each number in [-1, 1]."""
        seen = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        actions = [self._action(seen, size, parts) / scale for size, scale, parts in self._actions]
        answer: NDArray[np.float32] = np.clip(np.concatenate(actions, axis=1), -1, 1).astype(np.float32)
        return answer.reshape(*np.shape(observation)[:-1], -1)

    def _action(self, seen: Floats, size: int, parts: tuple[Feedback, ...]) -> Floats:
        wanted = np.zeros((len(seen), size))
        for part in parts:
            source = self._read(seen, part.of) if part.of else np.array([part.value])
            value = source[:, slice(*part.part)] if part.part else source
            if part.schedule:
                value = value * self._scheduled(seen, part.schedule)
            for factor in part.times:
                value = value * self._read(seen, factor)
            wanted += _shorten(value * np.asarray(part.gain), part.limit)
        return wanted

    def _scheduled(self, seen: Floats, schedule: Schedule) -> Floats:
        where = [
            _between(self._read(seen, name)[:, 0], np.array(points))
            for name, points in zip(schedule.by, schedule.at, strict=True)
        ]
        gains = np.reshape(schedule.gain, [len(points) for points in schedule.at])
        found = np.zeros(len(seen))
        for corner in product((0, 1), repeat=len(where)):
            places = tuple(low + side for side, (low, _) in zip(corner, where, strict=True))
            weights = [share if side else 1 - share for side, (_, share) in zip(corner, where, strict=True)]
            found += np.prod(weights, axis=0) * np.pad(gains, (0, 1), mode="edge")[places]
        return found[:, None]

    def _read(self, seen: Floats, name: str) -> Floats:
        part, scale = self._channels[name]
        physical: Floats = seen[:, part] * scale
        return physical


def controller(name: str, task: Task) -> Scripted:
    """Build the bundle's controller of that name.

    Raises:
        ContractError: It has none of that name.
    """
    if name not in task.file.scripted:
        raise ContractError(
            f"{task.name} has no controller {name!r}.",
            where="scripted",
            remedy=f"It has {', '.join(controller_names(task)) or 'none'}.",
        )
    return Scripted(task, task.file.scripted[name])


def proof(task: Task) -> Scripted | None:
    """The controller that shows that the task can be done: the oracle, else the best; None without any."""
    file = task.bundle
    if file.oracle:
        return Scripted(task, file.oracle, told=True)
    return controller(controller_names(task)[-1], task) if file.scripted else None


def controller_names(task: Task) -> tuple[str, ...]:
    """The bundle's controllers, the best last."""
    return tuple(task.file.scripted)


def _between(values: Floats, points: Floats) -> tuple[Indices, Floats]:
    """Which point is at or below each value, and how far it is from there to the next, 0 to 1."""
    last = max(len(points) - 2, 0)
    low = np.clip(np.searchsorted(points, values, side="right") - 1, 0, last)
    step = np.append(np.diff(points), 1.0)[low]
    return low, np.clip((values - points[low]) / step, 0.0, float(len(points) > 1))


def _shorten(value: Floats, limit: float | None) -> Floats:
    if limit is None:
        return value
    length = np.sqrt(np.einsum("ij,ij->i", value, value))
    shortened: Floats = value * np.minimum(1.0, limit / np.maximum(length, 1e-12))[:, None]
    return shortened
