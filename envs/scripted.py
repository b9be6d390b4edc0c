"""Controllers that a bundle brings as data: the proof that a task can be done, and the yardstick of skills.

A controller adds up gains on the policy's own observation, and constants, each perhaps times observed
scalars. It may remember: what its blocks give it reads as it does observations, and its phases follow each
other. An oracle reads what only the twin knows as well: where no robot can know what matters, it shows that
the task can be done. What a controller is made of is `envs.controllers`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.controllers.base import Live
from envs.controllers.check import outputs_of
from envs.controllers.controller import CLOCKS, Controller, Sides, full
from envs.controllers.parts import added_up, all_hold, shorten
from envs.task import Task
from envs.values import Floats
from skills.errors import ContractError
from skills.manifest import Channel
from skills.messages.leaderboards import ControllerKind

__all__ = ["Scripted", "controller", "controller_names", "controllers", "proof"]

ORACLE = "oracle"


class Scripted:
    """One controller of a bundle; where it remembers, `begin` each job with an empty memory.

    Args:
        task: The bundle.
        name: Of the controller.
        given: What it does.
        told: It reads what only the twin knows, behind the observation.
    """

    def __init__(self, task: Task, name: str, given: Sides | Controller, *, told: bool = False) -> None:
        self.name, self.told, self._task, self._given = name, told, task, full(given)
        self._remembers = self._given.remembers
        self._channels, self._sizes = _laid_out((*task.contract.observation, *(task.twin if told else ())))
        self._oracle = _Oracle(task, self._given.oracle) if self._given.oracle else None
        self._memory: _Memory | None = None

    @property
    def kind(self) -> ControllerKind:
        """Whether it is told what no robot knows, else whether it remembers."""
        if self.told:
            return "told"
        return "adaptive" if self._remembers else "fixed"

    @property
    def label(self) -> str:
        """Its name for people, who are to know it where it was told."""
        return f"{self.name} (told)" if self.told else self.name

    def begin(self) -> Scripted:
        """What acts in jobs that begin now: itself, or where it remembers, one without a memory yet."""
        if not self._remembers:
            return self
        return Scripted(self._task, self.name, self._given, told=self.told)

    def act(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Action for one observation (size,) or many (n, size), each number in [-1, 1].

        Raises:
            ContractError: It remembers, and there are more or fewer observations than in the step before.
        """
        seen = np.atleast_2d(np.asarray(observation, dtype=np.float64))
        memory = self._remembered(seen)
        actions = self._oracle.act(seen, memory) if self._oracle else self._actions(memory)
        answer: NDArray[np.float32] = np.clip(actions, -1, 1).astype(np.float32)
        return answer.reshape(*np.shape(observation)[:-1], -1)

    def _remembered(self, seen: Floats) -> _Memory:
        """What can be read now."""
        memory = self._memory or _Memory(self._given, self._sizes, self._task.dt, len(seen))
        self._memory = memory if self._remembers else None
        memory.look({name: seen[:, part] * scale for name, (part, scale) in self._channels.items()})
        return memory

    def _actions(self, memory: _Memory) -> Floats:
        done = []
        for channel in self._task.contract.action:
            wanted = memory.wanted(channel.name, channel.size)
            done.append(shorten(wanted, self._given.limits.get(channel.name)) / channel.scale)
        return np.concatenate(done, axis=1)


class _Memory:
    """What a controller reads and remembers in `count` jobs that began together."""

    def __init__(self, given: Controller, sizes: Mapping[str, int], dt: float, count: int) -> None:
        self._given, self._dt, self._count = given, dt, count
        self._signals: dict[str, Floats] = {}
        self._phases = tuple(given.phases.values())
        self._phase, self._since = np.zeros(count, np.int64), np.zeros((count, 1))
        self._steps = -1
        self._blocks: dict[str, Live] = {}
        known = {**sizes, **dict.fromkeys(CLOCKS, 1)}
        for name, block in given.blocks.items():
            self._blocks[name] = block.start(known, dt, count)
            known |= outputs_of(name, block.outputs(known))

    def look(self, observed: dict[str, Floats]) -> None:
        """The next observation: what blocks give, and in which phase each job is."""
        if any(len(each) != self._count for each in observed.values()):
            raise ContractError(
                f"{len(next(iter(observed.values())))} observations after {self._count} in the step before.",
                where="observation",
                remedy="Begin new jobs with `begin()`.",
            )
        self._steps += 1
        if self._steps:
            self._since = self._since + self._dt
        self._signals = observed
        observed["clock.job"] = np.full((self._count, 1), self._steps * self._dt)
        observed["clock.phase"] = self._since
        for name, block in self._blocks.items():
            for key, value in block.step(self.read).items():
                observed[f"{name}.{key}" if key else name] = value
        self._go_on()

    def read(self, name: str) -> Floats:
        """An observation, what a block gives, or a clock, (n, components)."""
        return self._signals[name]

    def wanted(self, action: str, size: int) -> Floats:
        """What is commanded (n, size), in the action's unit."""
        shape = (self._count, size)
        wanted = added_up(self._given.act.get(action, ()), self.read, shape)
        for number, phase in enumerate(self._phases):
            rows = self._phase == number
            if rows.any():
                here = wanted + added_up(phase.act.get(action, ()), self.read, shape)
                wanted = np.where(rows[:, None], shorten(here, phase.limits.get(action)), wanted)
        return wanted

    def _go_on(self) -> None:
        """At most one phase further in a step; the clock of a phase that begins is 0."""
        if not self._phases:
            return
        over = np.zeros(self._count, np.bool_)
        for number, phase in enumerate(self._phases[:-1]):
            longest = np.inf if phase.longest is None else phase.longest
            reached = self._since[:, 0] > longest - self._dt / 2
            if phase.until:
                reached |= all_hold(phase.until, self.read, self._count)
            over |= reached & (self._phase == number)
        self._phase = self._phase + over
        self._since = np.where(over[:, None], 0.0, self._since)
        self._signals["clock.phase"] = self._since


class _Oracle:
    """The bundle's oracle, told what a controller estimates."""

    def __init__(self, task: Task, told: Mapping[str, str]) -> None:
        places, _ = _laid_out(task.twin)
        self._told = [(signal, *places[name]) for name, signal in told.items()]
        self._size, self._observed = task.twin_size, task.contract.observation_size
        self._player = Scripted(task, ORACLE, task.bundle.oracle, told=True)

    def act(self, seen: Floats, memory: _Memory) -> Floats:
        """Shares of the actions' scales, (n, size)."""
        told = np.zeros((len(seen), self._size))
        for signal, part, scale in self._told:
            told[:, part] = memory.read(signal) / scale
        return self._player.act(np.hstack([seen[:, : self._observed], told])).astype(np.float64)


def controller(name: str, task: Task) -> Scripted:
    """Build the bundle's controller of that name; `oracle` is the one that is told.

    Raises:
        ContractError: It has none of that name.
    """
    found = controllers(task)
    if name not in found:
        raise ContractError(
            f"{task.name} has no controller {name!r}.",
            where="scripted",
            remedy=f"It has {', '.join(found) or 'none'}.",
        )
    return found[name]


def controllers(task: Task) -> dict[str, Scripted]:
    """All that a task brings by name, the best last, and after them the one that is told."""
    oracle = {ORACLE: Scripted(task, ORACLE, task.file.oracle, told=True)} if task.file.oracle else {}
    own = {name: Scripted(task, name, given) for name, given in task.file.scripted.items()}
    return {**own, **{name: each for name, each in oracle.items() if name not in own}}


def proof(task: Task) -> Scripted | None:
    """The controller that shows that the task can be done: the oracle, else the best; None without any."""
    file = task.bundle
    if file.oracle:
        return Scripted(task, ORACLE, file.oracle, told=True)
    return controller(controller_names(task)[-1], task) if file.scripted else None


def controller_names(task: Task) -> tuple[str, ...]:
    """The bundle's controllers that a robot could have, the best last."""
    return tuple(task.file.scripted)


def _laid_out(channels: Sequence[Channel]) -> tuple[dict[str, tuple[slice, float]], dict[str, int]]:
    """Where each channel's numbers stand side by side, what 1 means, and how many they are."""
    found, begin = {}, 0
    for channel in channels:
        found[channel.name] = (slice(begin, begin + channel.size), channel.scale)
        begin += channel.size
    return found, {channel.name: channel.size for channel in channels}
