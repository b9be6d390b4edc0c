"""Episodes recorded on a robot: what it observed, what was done, whether that succeeded. They never leave it.

Who acts while they are recorded - a person with a joystick, a controller, a skill - is whoever steps the
environment. How a robot learns from them is `fleet.training.recorded`'s. Needs no torch and no Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from envs.task import Task
from skills.container import Tensors, check_finite, pack, unpack
from skills.document import Document
from skills.errors import ArtefactError, ContractError
from skills.files import write_atomically

__all__ = ["FILE_LIMIT", "Episode", "Episodes", "Recorded", "load_episodes", "save_episodes"]

FILE_LIMIT = 1 << 30
"""Bytes of a recording that is read."""
FORMAT = "zunft.episodes/1"
UNKNOWN = -1.0
Array = NDArray[np.float32]


@dataclass(frozen=True)
class Episode:
    """One job from its begin to its end.

    Attributes:
        observations: (steps, inputs), before each step, over their scales.
        actions: (steps, k), as sent, within [-1, 1].
        rewards: (steps,).
        terminated: Whether it ended because nothing could follow; else its time was over.
        success: Whether the job was done; None where nothing says so.
    """

    observations: Array
    actions: Array
    rewards: Array
    terminated: bool
    success: bool | None


@dataclass(frozen=True)
class Episodes:
    """A recording: episodes of one task."""

    task: str
    episodes: tuple[Episode, ...]

    @property
    def steps(self) -> int:
        """Of all episodes."""
        return sum(len(each.rewards) for each in self.episodes)

    def check(self, task: Task) -> None:
        """Hold it to a task.

        Raises:
            ContractError: It is of another task, of other sizes, or empty.
        """
        contract = task.contract
        wanted = (contract.observation_size, contract.action_size)
        sizes = {(each.observations.shape[1], each.actions.shape[1]) for each in self.episodes}
        if self.task == task.name and sizes == {wanted}:
            return
        found = ", ".join(f"{inputs} and {outputs}" for inputs, outputs in sorted(sizes)) or "no"
        raise ContractError(
            f"a recording of {self.task} with {found} numbers a step does not teach {task.name}, which has "
            f"{wanted[0]} and {wanted[1]}.",
            where="episodes",
            remedy=f"Record on this robot: zunft robot record --skill {task.name} -o FILE.",
        )


class Recorded(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that remembers its episodes, whoever steps it; one that is broken off is forgotten."""

    def __init__(self, env: gymnasium.Env[Any, Any], task: str) -> None:
        super().__init__(env)
        self._task = task
        self._done: list[Episode] = []
        self._seen: Array | None = None
        self._steps: list[tuple[Array, Array, float]] = []

    @property
    def episodes(self) -> Episodes:
        """Those that came to their end."""
        return Episodes(self._task, tuple(self._done))

    def reset(self, **options: Any) -> tuple[Any, dict[str, Any]]:
        """Begin an episode."""
        observation, info = self.env.reset(**options)
        self._seen, self._steps = np.array(observation, np.float32), []
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Act once, and remember it."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        if self._seen is not None:
            done = np.clip(np.asarray(action, np.float32), -1, 1)
            self._steps.append((self._seen, done, float(reward)))
            self._seen = np.array(observation, np.float32)
            if terminated or truncated:
                self._keep(info, terminated=bool(terminated))
        return observation, reward, terminated, truncated, info

    def _keep(self, info: dict[str, Any], *, terminated: bool) -> None:
        observations, actions, rewards = zip(*self._steps, strict=True)
        success = bool(info["success"]) if "success" in info else None
        gained = np.array(rewards, np.float32)
        self._done.append(Episode(np.stack(observations), np.stack(actions), gained, terminated, success))
        self._seen, self._steps = None, []


class _Header(Document):
    format: Literal["zunft.episodes/1"]
    task: str


def save_episodes(path: Path, recording: Episodes) -> None:
    """Write a recording, readable for its owner alone.

    Raises:
        ContractError: It has no episode.
    """
    episodes = recording.episodes
    if not episodes:
        raise ContractError("no episode came to its end.", where="episodes", remedy="Record one at least.")
    known = [UNKNOWN if each.success is None else float(each.success) for each in episodes]
    tensors = {
        "observations": np.concatenate([each.observations for each in episodes]),
        "actions": np.concatenate([each.actions for each in episodes]),
        "rewards": np.concatenate([each.rewards for each in episodes]),
        "lengths": np.array([len(each.rewards) for each in episodes], np.float64),
        "terminated": np.array([each.terminated for each in episodes], np.float64),
        "successes": np.array(known, np.float64),
    }
    header = _Header(format=FORMAT, task=recording.task).model_dump_json()
    write_atomically(path, pack(header, tensors), mode=0o600)


def load_episodes(path: Path) -> Episodes:
    """Read a recording.

    Raises:
        ArtefactError: It is none, damaged, or too large.
    """
    with path.open("rb") as file:
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise _damaged(f"it has more than {FILE_LIMIT:,} bytes")
    document, tensors = unpack(data, "recording")
    check_finite(tensors, "recording")
    try:
        header = _Header.model_validate_json(document)
        return Episodes(header.task, tuple(_cut(tensors)))
    except (ValidationError, KeyError, ValueError, IndexError, TypeError) as error:
        raise _damaged(f"{type(error).__name__}: {error!s:.200}") from error


def _cut(tensors: Tensors) -> Iterator[Episode]:
    """Episodes out of the steps that were written one after the other; raises ValueError."""
    lengths = [int(each) for each in tensors["lengths"].tolist()]
    names = ("observations", "actions", "rewards")
    rows = {name: np.asarray(tensors[name], np.float32) for name in names}
    if min(lengths, default=0) < 1 or {len(each) for each in rows.values()} != {sum(lengths)}:
        msg = "its lengths are not those of its episodes"
        raise ValueError(msg)
    if (rows["observations"].ndim, rows["actions"].ndim, rows["rewards"].ndim) != (2, 2, 1):
        msg = "its arrays have other shapes"
        raise ValueError(msg)
    begin = 0
    ends = tensors["terminated"].tolist(), tensors["successes"].tolist()
    for length, terminated, success in zip(lengths, *ends, strict=True):
        part = slice(begin, begin + length)
        observations, actions, rewards = (rows[name][part] for name in names)
        yield Episode(
            observations,
            actions,
            rewards,
            terminated=bool(terminated),
            success=None if success == UNKNOWN else bool(success),
        )
        begin += length


def _damaged(why: str) -> ArtefactError:
    return ArtefactError(
        f"this is no recording of episodes: {why}.", where="episodes", remedy="Record them again."
    )
