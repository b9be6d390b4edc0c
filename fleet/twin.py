"""Where a robot practises and tries skills: its simulated twin, or its own environment.

When it does either is left to `fleet.agent`, how to train to `fleet.practice` and `fleet.training`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import evaluate
from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop
from fleet.own_robot import Env, rehearse
from fleet.place import StoppedError
from fleet.practice import practise
from fleet.training.ppo import PpoTrainer
from fleet.training.report import TrainingReport
from fleet.training.sampler import vectorise
from fleet.training.trainer import Trainer
from skills.delta import Delta
from skills.messages.rounds import Assignment
from skills.messages.training import Ppo
from skills.networks.base import Network
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["PARALLEL", "OwnPlace", "TwinPlace"]

Stopped = Callable[[], bool]

PARALLEL = 32  # simulations at once in training
REHEARSAL_SEED = 7_000  # apart from the gate's, so that a twin is no second look at the same episodes


@dataclass(frozen=True)
class _Left:
    """A policy that is left before its next action once the robot is to stop."""

    policy: Policy
    stopped: Stopped

    def begin(self) -> _Left:
        return _Left(self.policy.begin(), self.stopped)

    def act(self, observation: NDArray[Any]) -> NDArray[Any]:
        _check_wanted(self.stopped)
        return self.policy.act(observation)


class TwinPlace:
    """One workshop's simulation.

    Args:
        task: What is practised.
        workshop: The robot's arm, peculiarities and seams.
        seed: Of all training here.
        episodes: How many a rehearsal runs.
        settings: The trainer's knobs.
        stopped: Asked before each step.
    """

    def __init__(
        self,
        task: Task,
        workshop: Workshop,
        *,
        seed: int,
        episodes: int = 32,
        settings: Ppo | None = None,
        stopped: Stopped = lambda: False,
    ) -> None:
        self.contract = task.contract
        self.task_digest: str | None = task.digest
        self._task = task
        self._workshop = workshop
        self._seed = seed
        self._episodes = episodes
        self._settings = settings
        self._stopped = stopped
        self._trainers: dict[Network, Trainer] = {}

    def trainer(self, network: Network) -> Trainer:
        """The trainer of a network, built once: it takes seconds."""
        if network not in self._trainers:
            make = partial(make_vector_env, self._task, self._workshop, PARALLEL)
            self._trainers[network] = PpoTrainer(make, network, self._settings, seed=self._seed)
        return self._trainers[network]

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        on_iteration: Callable[[TrainingReport], None],
    ) -> Delta:
        """Train for a round; see `fleet.practice.practise`."""
        trainer = self.trainer(base.manifest.network)
        return practise(
            base, assignment, trainer, robot_id, on_iteration, partial(_check_wanted, self._stopped)
        )

    def rehearse(self, skill: Skill) -> float:
        """Success of the skill in this workshop, on the same episodes for every skill."""
        policy = _Left(Policy(skill), self._stopped)
        return evaluate(policy, self._task, self._workshop, self._episodes, REHEARSAL_SEED).score


class OwnPlace:
    """A robot's own environment, one episode after the other; it practises and rehearses in the same.

    Args:
        env: Checked by `fleet.own_robot.load_env`; whoever opened it closes it.
        task: What is practised.
        seed: Of all training here.
        episodes: How many a rehearsal runs.
        settings: The trainer's knobs.
        stopped: Asked before each step.
    """

    def __init__(
        self,
        env: Env,
        task: Task,
        *,
        seed: int,
        episodes: int = 8,
        settings: Ppo | None = None,
        stopped: Stopped = lambda: False,
    ) -> None:
        self.contract = task.contract
        self.task_digest: str | None = task.digest
        self._env = env
        # One for all rounds: a vector environment that is thrown away closes what is in it.
        self._copies = vectorise(env)
        self._task = task
        self._seed = seed
        self._episodes = episodes
        self._settings = settings
        self._stopped = stopped

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        on_iteration: Callable[[TrainingReport], None],
    ) -> Delta:
        """Train for a round; see `fleet.practice.practise`."""
        # A new trainer begins with a new episode: since the last round the robot was elsewhere.
        seed = int(np.random.default_rng([self._seed, assignment.number]).integers(2**31))
        trainer = PpoTrainer(lambda _: self._copies, base.manifest.network, self._settings, seed=seed)
        return practise(
            base, assignment, trainer, robot_id, on_iteration, partial(_check_wanted, self._stopped)
        )

    def rehearse(self, skill: Skill) -> float:
        """Success of the skill on this robot."""
        policy = _Left(Policy(skill), self._stopped)
        return rehearse(self._env, policy, self._task, self._episodes, self._seed).score


def _check_wanted(stopped: Stopped) -> None:
    if stopped():
        raise StoppedError
