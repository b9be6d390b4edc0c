"""Score a skill on held-out workshops: for the gate, the leaderboards, and whoever repeats a score.

Same skill, task and seeds: the same digits, whichever of them asks. What is compared with what is theirs.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import Evaluation, evaluate, pool
from envs.replay import record
from envs.task import Task
from envs.workshop import fresh_workshop
from envs.wrapped import WrappedFile
from skills.errors import ContractError
from skills.leaderboards import Draw
from skills.messages import ScoreView
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Scoring", "made_with", "score_skill", "score_view"]

PARTS = ("zunft", "mujoco", "numpy")


@dataclass(frozen=True)
class Scoring:
    """What was measured, by embodiment; and the replay, where one was wanted and the task has a scene."""

    by_embodiment: dict[str, Evaluation]
    replay: bytes | None = None


@dataclass(frozen=True)
class _Exploring:
    policy: Policy
    rng: np.random.Generator

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        return self.policy.explore(observation, self.rng)


def score_skill(
    skill: Skill,
    task: Task,
    draws: Sequence[Draw],
    embodiments: Sequence[str] = (),
    *,
    exploring: bool = False,
    recorded: bool = False,
    tell: Callable[[int], None] = lambda _episodes: None,
) -> Scoring:
    """Run the draws' episodes on each embodiment.

    Args:
        skill: For the task.
        task: The task.
        draws: Workshops and jobs.
        embodiments: Of those that the task admits; all if none are named.
        exploring: Whether it acts as in training, with noise that follows from the draw.
        recorded: Whether a replay of the first draw on the first embodiment is made.
        tell: Told how many episodes have come to their end, from several threads.

    Raises:
        ContractError: The skill does not fit the task.
    """
    _check_contract(skill, task)
    policy, robots = Policy(skill), tuple(embodiments or task.file.embodiments)
    cells = list(product(robots, draws))
    kept = cells[0] if recorded and not isinstance(task.file, WrappedFile) else None

    def run(cell: tuple[str, Draw]) -> tuple[Evaluation, bytes | None]:
        robot, draw = cell
        workshop = fresh_workshop(task.file, robot, draw.workshop, held_out=True)
        player = _Exploring(policy, np.random.default_rng(draw.jobs)) if exploring else policy
        play = (player, task, workshop, draw.episodes, draw.jobs)
        found = record(*play) if cell == kept else (evaluate(*play), None)
        tell(draw.episodes)
        return found

    # The physics runs outside Python's lock: workshops side by side, each as if it were alone.
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        found = list(threads.map(run, cells))
    each = {robot: [ran for (own, _), (ran, _) in zip(cells, found, strict=True) if own == robot]
            for robot in robots}  # fmt: skip
    return Scoring({robot: pool(ran) for robot, ran in each.items()}, found[0][1])


def score_view(score: Evaluation) -> ScoreView:
    """As it is told."""
    return ScoreView(
        score=score.score,
        low=score.low,
        high=score.high,
        episodes=score.episodes,
        mean_return=score.mean_return,
    )


def made_with() -> str:
    """Versions of what computes here, and the kind of processor: where digits differ, look there first."""
    parts = [f"{part} {version(part)}" for part in PARTS]
    return ", ".join([*parts, f"{platform.system()} {platform.machine()}"])


def _check_contract(skill: Skill, task: Task) -> None:
    differences = task.contract.differences(skill.manifest.contract)
    if differences:
        raise ContractError(
            f"the skill does not fit the task {task.name}: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Make the skill from the task's own contract.",
        )
