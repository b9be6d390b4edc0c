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

from envs.evaluate import Player, evaluate
from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop
from fleet.own_robot import Env, rehearse
from fleet.place import StoppedError
from fleet.practice import Practised, practise, train_locally
from fleet.training.choose import make_trainer
from fleet.training.report import TrainingReport
from fleet.training.sampler import MakeEnv, vectorise
from fleet.training.trainer import Trainer
from skills.container import Tensors
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.messages.training import Algorithm
from skills.networks.base import Network
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["PARALLEL", "OwnPlace", "TwinPlace", "learner_of"]

Stopped = Callable[[], bool]
Master = Callable[[], Player | None]
Key = tuple[Network, Algorithm, tuple[str, ...], str]
"""What a trainer is for: network, learner, what versions carry, what robots share."""

PARALLEL = 32  # simulations at once in training
REHEARSAL_SEED = 7_000  # apart from the gate's, so that a twin is no second look at the same episodes
TUNING = 0  # beside a robot's seed, where rounds have their number, from 1
AT_HOME = TrainingPlan()  # nobody to share with: no variates, and the critic is part of what is learned


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


class _Trainers:
    """One trainer for all rounds of a kind and campaign: it takes seconds to build, and remembers.

    Another campaign begins with new ones, as after a restart: nothing of the last is known in it.
    """

    def __init__(
        self, make_env: MakeEnv, task: Task, seed: int, batch_steps: int | None, master: Master
    ) -> None:
        self._make_env, self._task, self._seed = make_env, task, seed
        self._batch_steps, self._master = batch_steps, master
        self._campaign = ""
        self._built: dict[Key, Trainer] = {}

    def of(self, network: Network, plan: TrainingPlan, campaign: str) -> Trainer:
        """For this network, by this plan."""
        if campaign != self._campaign:
            self._campaign = campaign
            self._built.clear()
        learner = learner_of(plan, self._task, self._batch_steps)
        key = (network, learner, plan.carries, plan.share)
        if key not in self._built:
            self._built[key] = make_trainer(
                self._make_env, network, learner, seed=self._seed, teacher=self._master, **_shared(plan)
            )
        return self._built[key]


class TwinPlace:
    """One workshop's simulation.

    Args:
        task: What is practised.
        workshop: The robot's arm, peculiarities and seams.
        seed: Of all training here.
        episodes: How many a rehearsal runs.
        batch_steps: Environment steps of an iteration, where the robot has its own mind; else as ordered.
        master: Who teaches where a round asks for lessons, if there is anybody yet.
        stopped: Asked before each step.
    """

    def __init__(
        self,
        task: Task,
        workshop: Workshop,
        *,
        seed: int,
        episodes: int = 32,
        batch_steps: int | None = None,
        master: Master = lambda: None,
        stopped: Stopped = lambda: False,
    ) -> None:
        self.contract = task.contract
        self.task_digest: str | None = task.digest
        self._task = task
        self._workshop = workshop
        self._seed = seed
        self._episodes = episodes
        self._batch_steps = batch_steps
        self._stopped = stopped
        make = partial(make_vector_env, task, workshop, PARALLEL)
        self._trainers = _Trainers(make, task, seed, batch_steps, master)

    def trainer(self, network: Network, plan: TrainingPlan, campaign: str = "") -> Trainer:
        """The trainer of a network by a plan, built once a campaign: it takes seconds."""
        return self._trainers.of(network, plan, campaign)

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        private: Tensors,
        on_iteration: Callable[[TrainingReport], None],
    ) -> Practised:
        """Train for a round; see `fleet.practice.practise`."""
        trainer = self.trainer(base.manifest.network, assignment.training, assignment.campaign_id)
        wanted = partial(_check_wanted, self._stopped)
        return practise(base, assignment, trainer, robot_id, private, on_iteration, wanted)

    def tune(
        self, guild: Skill, iterations: int, rate: float, on_iteration: Callable[[TrainingReport], None]
    ) -> Tensors:
        """See `fleet.place.Place.tune`; with a trainer of its own, so that rounds' stays as it is."""
        learner = learner_of(AT_HOME, self._task, self._batch_steps)
        make = partial(make_vector_env, self._task, self._workshop, PARALLEL)
        seed = _drawn(self._seed, TUNING)
        trainer = make_trainer(make, guild.manifest.network, learner, seed=seed, **_shared(AT_HOME))
        try:
            return _tuned(trainer, guild, iterations, rate, on_iteration, self._stopped)
        finally:
            trainer.close()

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """Success of the skill in this workshop, see `fleet.place.Place.rehearse`."""
        policy = _Left(Policy(skill), self._stopped)
        count, seed = episodes or self._episodes, REHEARSAL_SEED + draw
        return evaluate(policy, self._task, self._workshop, count, seed).score


class OwnPlace:
    """A robot's own environment, one episode after the other; it practises and rehearses in the same.

    Args:
        env: Checked by `fleet.own_robot.load_env`; whoever opened it closes it.
        task: What is practised.
        seed: Of all training here.
        episodes: How many a rehearsal runs.
        batch_steps: Environment steps of an iteration, where the robot has its own mind; else as ordered.
        master: Who teaches where a round asks for lessons, if there is anybody yet.
        stopped: Asked before each step.
    """

    def __init__(
        self,
        env: Env,
        task: Task,
        *,
        seed: int,
        episodes: int = 8,
        batch_steps: int | None = None,
        master: Master = lambda: None,
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
        self._batch_steps = batch_steps
        self._stopped = stopped
        self._trainers = _Trainers(lambda _: self._copies, task, seed, batch_steps, master)

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        private: Tensors,
        on_iteration: Callable[[TrainingReport], None],
    ) -> Practised:
        """Train for a round; see `fleet.practice.practise`."""
        campaign = assignment.campaign_id
        trainer = self._trainers.of(base.manifest.network, assignment.training, campaign)
        trainer.leave()  # since the last round the robot was elsewhere
        wanted = partial(_check_wanted, self._stopped)
        return practise(base, assignment, trainer, robot_id, private, on_iteration, wanted)

    def tune(
        self, guild: Skill, iterations: int, rate: float, on_iteration: Callable[[TrainingReport], None]
    ) -> Tensors:
        """See `fleet.place.Place.tune`; the environment stays open."""
        learner = learner_of(AT_HOME, self._task, self._batch_steps)
        seed = _drawn(self._seed, TUNING)
        network, shared = guild.manifest.network, _shared(AT_HOME)
        trainer = make_trainer(lambda _: self._copies, network, learner, seed=seed, **shared)
        return _tuned(trainer, guild, iterations, rate, on_iteration, self._stopped)

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """Success of the skill on this robot, see `fleet.place.Place.rehearse`."""
        policy = _Left(Policy(skill), self._stopped)
        count = episodes or self._episodes
        return rehearse(self._env, policy, self._task, count, self._seed + draw * count).score


def learner_of(plan: TrainingPlan, task: Task, batch_steps: int | None = None) -> Algorithm:
    """How a robot learns: as ordered, else as the task advises; its own batch where it has one."""
    learner = plan.learner or task.file.training.learner
    if batch_steps is None:
        return learner
    minibatch = min(learner.minibatch, batch_steps)
    return learner.model_copy(update={"batch": batch_steps, "minibatch": minibatch})


def _shared(plan: TrainingPlan) -> dict[str, Any]:
    """What the guild has of a round, as trainers take it."""
    return {
        "shares_critic": plan.share == "all",
        "variates": plan.variates,
        "moments": plan.moments,
    }


def _tuned(
    trainer: Trainer,
    guild: Skill,
    iterations: int,
    rate: float,
    on_iteration: Callable[[TrainingReport], None],
    stopped: Stopped,
) -> Tensors:
    wanted = partial(_check_wanted, stopped)
    weights, _ = train_locally(trainer, guild, [rate], iterations, on_iteration=on_iteration, on_step=wanted)
    return weights


def _drawn(seed: int, number: int) -> int:
    """A seed for each of the things that are trained here."""
    return int(np.random.default_rng([seed, number]).integers(2**31))


def _check_wanted(stopped: Stopped) -> None:
    if stopped():
        raise StoppedError
