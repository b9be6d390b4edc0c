"""A quick local training of a task: does anything learn here, and how does it compare with the yardsticks?

One robot, without a hub. Training is left to `fleet.local_training`, drawing to `zunft.task_pictures`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from envs.evaluate import evaluate_held_out, evaluate_many, pool
from envs.examine import RandomPolicy
from envs.scripted import controllers
from envs.task import Task
from envs.workshop import Workshop, fleet_workshops
from fleet.local_training import train_alone
from skills.messages.leaderboards import BoardPlan
from skills.messages.plans import TrainingPlan
from skills.messages.training import Algorithm
from skills.player import Player
from skills.policy import Policy
from skills.skill import Skill
from zunft.demo.report import Score
from zunft.new_skill import new_skill

if TYPE_CHECKING:
    from fleet.training.report import TrainingReport

__all__ = ["Point", "Trial", "try_task"]

SCORE_SEED = 60_000


class Point(BaseModel):
    """One iteration of the training; None where no episode ended."""

    model_config = ConfigDict(frozen=True)

    steps: int
    mean_return: float | None
    success: float | None


class Trial(BaseModel):
    """What a trial found.

    Attributes:
        curve: One point an iteration; with exploration, so below the skill's score.
        held_out: By the plan of the leaderboards (`skills.messages.leaderboards.BOARD`), so with a hub's
            digits where as many episodes are run. Scores by player; the controllers by their names,
            with a word where one is told what no robot knows.
        home: The one workshop that it trained in.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    task_digest: str
    seed: int
    workshop: str
    seconds: float
    curve: tuple[Point, ...]
    home: dict[str, Score]
    held_out: dict[str, Score]


def try_task(
    task: Task,
    *,
    iterations: int,
    seed: int,
    learner: Algorithm | None = None,
    network: dict[str, object] | None = None,
    episodes: int = 64,
    on_iteration: Callable[[Point], None] = lambda _point: None,
) -> tuple[Trial, Skill]:
    """Train in the first workshop of the task's fleet, then score against controllers and noise.

    Args:
        task: A bundle.
        iterations: Batches.
        learner: How is learned; None: as the task advises.
        network: Kind and sizes; None: as the task advises.
        seed: Of network and training; jobs for scoring are the same for all seeds.
        episodes: At home; as many again held out, on each of the task's embodiments.
        on_iteration: Told of each iteration.

    Raises:
        ContractError: The bundle does not run.
        ArtefactError: Training diverged.
    """
    home = fleet_workshops(task.file)[0]
    first = new_skill(task, seed=seed, network=network)
    skill, curve, seconds = _train(
        task, home, first, TrainingPlan(learner=learner, iterations=1), iterations, seed, on_iteration
    )
    players: dict[str, Player] = {"random": RandomPolicy(task.contract.action_size, seed)}
    players |= {each.label: each for each in controllers(task).values()}
    players["trained"] = Policy(skill)
    draws = BoardPlan(episodes=episodes).draws()
    scores = {
        "home": {name: _at_home(policy, task, home, episodes) for name, policy in players.items()},
        "held_out": {
            name: Score.of(pool(evaluate_held_out(policy, task, draws).values()))
            for name, policy in players.items()
        },
    }
    trial = Trial(
        task=task.name,
        task_digest=task.digest,
        seed=seed,
        workshop=home.name,
        seconds=round(seconds, 1),
        curve=tuple(curve),
        **scores,
    )
    return trial, skill


def _at_home(policy: Player, task: Task, home: Workshop, episodes: int) -> Score:
    return Score.of(pool(evaluate_many(policy, task, (home,), episodes, SCORE_SEED)))


def _train(
    task: Task,
    home: Workshop,
    first: Skill,
    each: TrainingPlan,
    iterations: int,
    seed: int,
    tell: Callable[[Point], None],
) -> tuple[Skill, list[Point], float]:
    """A fresh start, version 1: nobody else has the untrained one, so that it is no parent."""
    curve: list[Point] = []
    seconds = 0.0

    def add(report: TrainingReport) -> None:
        nonlocal seconds
        seconds += report.seconds
        steps = report.steps + (curve[-1].steps if curve else 0)
        curve.append(Point(steps=steps, mean_return=report.mean_return, success=report.success_rate))
        tell(curve[-1])

    grown = train_alone(first, task, home, each, iterations, seed=seed, on_iteration=add)
    changes = {"version": 1, "parents": (), "summary": f"Tried in {home.name}"}
    return Skill(grown.manifest.model_copy(update=changes), grown.tensors), curve, seconds
