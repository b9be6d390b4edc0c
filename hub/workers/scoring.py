"""Score a skill on held-out workshops: for the gate, the leaderboards, and whoever repeats a score.

Same skill, task and seeds: the same digits, whichever of them asks. What is compared with what is theirs.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import Evaluation, evaluate, evaluate_held_out, pool
from envs.replay import record
from envs.scripted import controllers
from envs.task import Task
from envs.workshop import Workshop, fresh_workshop
from envs.wrapped import WrappedFile
from skills.errors import ContractError
from skills.messages.leaderboards import ControllerScore, Draw
from skills.messages.skills import ScoreView
from skills.player import Player
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Scoring", "made_with", "score_controllers", "score_skill", "score_view"]

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

    def begin(self) -> _Exploring:
        return _Exploring(self.policy.begin(), self.rng)

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
    mine = Policy(skill)
    replays: list[bytes] = []
    first = fresh_workshop(
        task.file, (*embodiments, *task.file.embodiments)[0], draws[0].workshop, held_out=True
    )

    def score(policy: Player, task: Task, workshop: Workshop, episodes: int, seed: int) -> Evaluation:
        player: Player = _Exploring(mine, np.random.default_rng(seed)) if exploring else policy
        if not recorded or isinstance(task.file, WrappedFile) or (workshop, seed) != (first, draws[0].jobs):
            return evaluate(player, task, workshop, episodes, seed)
        found, replay = record(player, task, workshop, episodes, seed)
        replays.append(replay)
        return found

    found = evaluate_held_out(mine, task, draws, embodiments, score, tell)
    return Scoring(found, *replays)


def score_controllers(
    task: Task, draws: Sequence[Draw], tell: Callable[[str], None] = lambda _name: None
) -> tuple[ControllerScore, ...]:
    """What the task's own controllers do in the draws' episodes, best first, those that are told at the end.

    Args:
        task: The task.
        draws: Workshops and jobs.
        tell: Told the name of the next one.
    """
    scores = []
    for name, player in controllers(task).items():
        tell(name)
        found = evaluate_held_out(player, task, draws)
        scores.append(
            ControllerScore(
                name=name,
                kind=player.kind,
                score=score_view(pool(found.values())),
                by_embodiment={robot: score_view(score) for robot, score in found.items()},
            )
        )
    return tuple(sorted(scores, key=lambda each: (each.kind == "told", -each.score.score)))


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
