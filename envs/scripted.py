"""Controllers that a bundle brings as data: the proof that a task can be done, and the yardstick of skills.

A controller adds up gains on the policy's own observation, and constants, each perhaps times observed
scalars; `envs.format.Feedback` is one part of it. It has no memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.format import Feedback
from envs.task import Task
from envs.values import Floats
from skills.errors import ContractError

__all__ = ["Scripted", "controller", "controller_names"]


class Scripted:
    """One controller of a bundle; stateless."""

    def __init__(self, task: Task, name: str) -> None:
        channels, begin = {}, 0
        for channel in task.contract.observation:
            channels[channel.name] = (slice(begin, begin + channel.size), channel.scale)
            begin += channel.size
        self._channels = channels
        sides = task.file.scripted[name]
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
            for factor in part.times:
                value = value * self._read(seen, factor)
            wanted += _shorten(value * np.asarray(part.gain), part.limit)
        return wanted

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
    return Scripted(task, name)


def controller_names(task: Task) -> tuple[str, ...]:
    """The bundle's controllers, the best last."""
    return tuple(task.file.scripted)


def _shorten(value: Floats, limit: float | None) -> Floats:
    if limit is None:
        return value
    length = np.sqrt(np.einsum("ij,ij->i", value, value))
    shortened: Floats = value * np.minimum(1.0, limit / np.maximum(length, 1e-12))[:, None]
    return shortened
