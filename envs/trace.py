"""One episode step by step: when each condition held, and which of them decided the outcome.

What happened is `envs.recording`, drawing it `zunft.trace_pictures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from envs.format import Condition
from envs.recording import Mask, Recording, Role, conditions_of
from envs.task import Task
from envs.values import Floats
from skills.errors import ContractError
from skills.manifest import Contract

__all__ = ["ConditionTrace", "Series", "Trace", "trace_of"]

Numbers = tuple[float | None, ...]

Verdict = Literal["met", "missed", "missed with others", "ended it", "avoided", "not asked"]
"""What a condition had to do with the outcome. `missed with others`: it held in steps enough, but not in the
same ones as the others. `not asked`: a failure ended the episode before."""


@dataclass(frozen=True)
class Series:
    """A quantity after each step, or its length where it has several components; None if it is not finite."""

    unit: str
    components: int
    values: Numbers


@dataclass(frozen=True)
class ConditionTrace:
    """One condition in one episode.

    Attributes:
        words: The condition for people.
        low: It holds above this; None where there is no such bound.
        high: It holds below this.
        held: From when to when, s.
        share: Of the counted steps in which it held.
        last: The quantity in the last step.
    """

    role: Role
    of: str
    words: str
    low: float | None
    high: float | None
    held: tuple[tuple[float, float], ...]
    share: float
    last: float | None
    verdict: Verdict

    @property
    def decided(self) -> bool:
        """Whether it kept the episode from succeeding."""
        return self.verdict in {"missed", "missed with others", "ended it"}


@dataclass(frozen=True)
class Trace:
    """One of the episodes that were recorded side by side.

    Attributes:
        not_done: Numbers of the episodes that did not succeed.
        times: s, of the steps.
        counted_from: s; steps up to then do not count for success.
        asked: Share of the counted steps in which all conditions of `success.steps` must hold at once.
        together: In which they did.
        quantities: Those that conditions read, and what else was asked for.
        actions: By channel, shares of its scale.
    """

    episode: int
    episodes: int
    not_done: tuple[int, ...]
    success: bool
    times: tuple[float, ...]
    counted_from: float
    asked: float
    together: float
    conditions: tuple[ConditionTrace, ...]
    quantities: dict[str, Series]
    reward: Numbers
    actions: dict[str, Numbers]

    @property
    def broke_off(self) -> bool:
        """Whether something sensed or rewarded was no finite number, which ends an episode."""
        return not self.success and not any(each.decided for each in self.conditions)


def trace_of(recorded: Recording, task: Task, episode: int | None = None) -> Trace:
    """One episode of them; the first that did not succeed, or the first of all, if none is named.

    Raises:
        ContractError: There is no such episode, or it broke off before its first step.
    """
    failed = np.flatnonzero(~recorded.success).tolist()
    number = (failed or [0])[0] if episode is None else episode
    episodes = len(recorded.success)
    if not 0 <= number < episodes:
        raise ContractError(
            f"there is no episode {number}.", where="episode", remedy=f"Choose one from 0 to {episodes - 1}."
        )
    steps, success = int(recorded.lasted[number]), recorded.file.success
    if steps == 0:
        raise ContractError(
            "what is sensed when it begins is no finite number.",
            where=f"episode {number}",
            remedy="Look for a division by a figure that may be 0.",
        )
    together = recorded.good(success.steps)[number] / recorded.counted if success.steps else 1.0
    return Trace(
        episode=number,
        episodes=episodes,
        not_done=tuple(failed),
        success=bool(recorded.success[number]),
        times=tuple((np.arange(1, steps + 1) * task.dt).tolist()),
        counted_from=success.grace * task.dt,
        asked=success.share,
        together=float(together),
        conditions=tuple(_judged(recorded, task.dt, number)),
        quantities={
            name: Series(task.outputs[name].unit, task.outputs[name].size, _plain(values[:steps, number]))
            for name, values in recorded.values.items()
        },
        reward=_plain(recorded.rewards[:steps, number]),
        actions={
            name: _plain(recorded.actions[:steps, number, column])
            for column, name in enumerate(_action_names(task.contract))
        },
    )


def _judged(recorded: Recording, dt: float, episode: int) -> Iterator[ConditionTrace]:
    for role, condition in conditions_of(recorded.file):
        low, high = condition.bounds
        held = recorded.held(condition)[: recorded.lasted[episode], episode]
        yield ConditionTrace(
            role=role,
            of=condition.of,
            words=condition.words,
            low=_number(low),
            high=_number(high),
            held=_spans(held, dt),
            share=float(recorded.good([condition])[episode] / recorded.counted),
            last=_number(float(recorded.last(condition.of)[episode])),
            verdict=_verdict(recorded, role, condition, episode),
        )


def _verdict(recorded: Recording, role: Role, condition: Condition, episode: int) -> Verdict:
    file, held_last = recorded.file, bool(recorded.held_last(condition)[episode])
    if role == "failure":
        return "ended it" if held_last else "avoided"
    if any(recorded.held_last(each)[episode] for each in file.failure):
        return "not asked"
    if role == "end":
        return "met" if held_last else "missed"
    needed, own = file.success.share * recorded.counted, recorded.good([condition])[episode]
    if own < needed:
        return "missed"
    together = recorded.good(file.success.steps)[episode]
    return "missed with others" if together < needed and own < recorded.counted else "met"


def _spans(held: Mask, dt: float) -> tuple[tuple[float, float], ...]:
    """From when to when, s: the moments after the first and the last of the steps that hang together."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], held, [False]]).astype(np.int8)))
    return tuple((float((begin + 1) * dt), float(end * dt)) for begin, end in edges.reshape(-1, 2))


def _action_names(contract: Contract) -> list[str]:
    return [
        f"{channel.name}[{number}]" if channel.size > 1 else channel.name
        for channel in contract.action
        for number in range(channel.size)
    ]


def _plain(values: Floats) -> Numbers:
    return tuple(map(_number, values.tolist()))


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
