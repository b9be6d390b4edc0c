"""Episodes recorded step by step: what conditions read, in which steps they held, what was earned and done.

One of them made plain is `envs.trace`, many in a sentence `envs.shortfall`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import run_episodes
from envs.format import Condition, TaskFile
from envs.reward import RewardOf
from envs.task import Task
from envs.values import Floats, Indices
from envs.vector import TaskVectorEnv
from envs.workshop import Workshop
from skills.player import Player

__all__ = ["Mask", "Recording", "Role", "conditions_of", "record"]

Mask = NDArray[np.bool_]

Role = Literal["steps", "end", "failure"]
"""Where in `task.toml` a condition stands."""


@dataclass(frozen=True, eq=False)
class Recording:
    """Episodes side by side; of one that was over before the others the later steps mean nothing.

    Attributes:
        file: Of the task.
        success: Which succeeded, (episodes,).
        lasted: Steps of each, (episodes,).
        values: Quantities by name, (steps, episodes); of several components their length.
        rewards: (steps, episodes).
        actions: Shares of their scales, (steps, episodes, size).
        gained: Sum of rewards of each, (episodes,).
        poses: Positions and quaternions, (steps, episodes, bodies, 7); no bodies unless filmed.
    """

    file: TaskFile
    success: Mask
    lasted: Indices
    values: dict[str, Floats]
    rewards: Floats
    actions: Floats
    gained: Floats
    poses: Floats

    @property
    def counted(self) -> int:
        """Steps in which success may ask for something."""
        return self.file.horizon - self.file.success.grace

    def held(self, condition: Condition) -> Mask:
        """In which steps of which episodes it held, (steps, episodes)."""
        values, (low, high) = self.values[condition.of], condition.bounds
        runs = np.arange(len(values))[:, None] < self.lasted
        found: Mask = (values > low) & (values < high) & runs
        return found

    def good(self, conditions: Sequence[Condition]) -> Indices:
        """In how many of the counted steps all of them held at once, (episodes,)."""
        together = np.logical_and.reduce([self.held(each) for each in conditions])
        found: Indices = together[self.file.success.grace :].sum(axis=0)
        return found

    def held_last(self, condition: Condition) -> Mask:
        """Whether it held in an episode's last step, (episodes,)."""
        found: Mask = self.held(condition)[self._last]
        return found

    def last(self, name: str) -> Floats:
        """A quantity in an episode's last step, (episodes,)."""
        found: Floats = self.values[name][self._last]
        return found

    @property
    def _last(self) -> tuple[Indices, Indices]:
        return np.maximum(self.lasted - 1, 0), np.arange(len(self.lasted))


def record(
    policy: Player,
    task: Task,
    workshop: Workshop,
    episodes: int,
    seed: int,
    also: Sequence[str] = (),
    *,
    filmed: bool = False,
) -> Recording:
    """Run `episodes` jobs at once, the same as `envs.evaluate.evaluate` runs.

    Args:
        policy: Acts.
        task: A bundle; only its compiling is asked for, not that it passes the checker.
        workshop: Where.
        episodes: How many.
        seed: Of the jobs.
        also: Quantities to record beside those that conditions read.
        filmed: Whether poses are recorded, too.

    Raises:
        ContractError: It is no bundle, does not compile or has no such quantity, or the actions do not fit.
    """
    file, env = task.bundle, TaskVectorEnv(task, workshop, episodes, seed)
    names = tuple(dict.fromkeys([*(each.of for _, each in conditions_of(file)), *also]))
    read, acted = env.quantities.lengths(names).read, env.quantities.view("action.last")
    reward = RewardOf(file.reward, env.quantities)
    lasted = np.zeros(episodes, np.int64)
    values, rewards, actions, poses = [], [], [], []
    positions, rotations = env.cells.body_poses()
    shown = slice(None) if filmed else slice(0)

    def watch(running: Mask) -> None:
        np.add(lasted, running, out=lasted)
        values.append(read())
        rewards.append(reward.now())
        actions.append(acted.copy())
        poses.append(np.concatenate([positions[:, shown], rotations[:, shown]], axis=2).astype(np.float32))

    success, gained = run_episodes(policy, env, watch)
    if not values:  # something sensed was no finite number from the start
        watch(np.zeros(episodes, np.bool_))
    columns = np.array(values).reshape(-1, episodes, len(names))
    by_name = {name: columns[:, :, number] for number, name in enumerate(names)}
    return Recording(
        file, success, lasted, by_name, np.array(rewards), np.array(actions), gained, np.array(poses)
    )


def conditions_of(file: TaskFile) -> Iterator[tuple[Role, Condition]]:
    """All of a task, in the order in which they are judged."""
    yield from (("steps", each) for each in file.success.steps)
    yield from (("end", each) for each in file.success.end)
    yield from (("failure", each) for each in file.failure)
