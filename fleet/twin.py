"""Where a robot practises and tries skills: its simulated twin, or its own environment.

When it does either is left to `fleet.agent`, how to train to `fleet.practice` and `fleet.training`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Required, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from envs.evaluate import evaluate
from envs.task import Task
from envs.vector import make_vector_env
from envs.workshop import Workshop
from fleet.episodes import Episodes
from fleet.masters import bring_skill, master_from, master_of
from fleet.own_robot import Env, rehearse
from fleet.place import StoppedError
from fleet.practice import Practised, practise, train_locally
from fleet.robot_folder import RobotFolder
from fleet.training.choose import make_trainer
from fleet.training.report import TrainingReport
from fleet.training.sampler import MakeEnv, vectorise
from fleet.training.trainer import Trainer
from skills.container import Tensors
from skills.messages.low_rank import LowRank
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.messages.training import Algorithm
from skills.networks.base import Network
from skills.player import Player
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["PARALLEL", "Options", "OwnPlace", "TwinPlace", "learner_of"]

Stopped = Callable[[], bool]
Key = tuple[str, Network, Algorithm, tuple[str, ...], str, LowRank | None]
"""What a trainer is for: campaign, network, learner, what versions carry, what robots share."""

PARALLEL = 32  # simulations at once in training
REHEARSAL_SEED = 7_000  # apart from the gate's, so that a twin is no second look at the same episodes
TUNING, MASTER = 0, 1  # beside a robot's seed
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


class Options(TypedDict, total=False):
    """What both places are told.

    Attributes:
        seed: Of all training here.
        batch_steps: Environment steps of an iteration, where the robot has its own mind; else as ordered.
        bench: The robot's folder, where its master lies; without one it has none.
        stopped: Asked before each step.
    """

    seed: Required[int]
    batch_steps: int | None
    bench: RobotFolder | None
    stopped: Stopped


class _Home(ABC):
    """What both places have in common.

    Args:
        task: What is practised.
        make_env: Builds the environments to train in from a seed.
        episodes: How many a rehearsal runs.
        options: See `Options`.
    """

    def __init__(self, task: Task, make_env: MakeEnv, episodes: int, **options: Unpack[Options]) -> None:
        self.contract = task.contract
        self.task_digest: str | None = task.digest
        self.trains = True
        self.has_twin = True
        self._task = task
        self._make_env = make_env
        self._episodes = episodes
        self._seed = options["seed"]
        self._batch_steps = options.get("batch_steps")
        self._bench = options.get("bench")
        self._stopped = options.get("stopped", lambda: False)
        self._wanted = partial(_check_wanted, self._stopped)
        self._built: tuple[Key, Trainer] | None = None

    def trainer(self, network: Network, plan: TrainingPlan, campaign: str = "") -> Trainer:
        """The trainer of a network by a plan, for all rounds of a campaign: it takes seconds, and remembers.

        Another campaign or learner begins with a new one, as after a restart: nothing of the last is in it.
        """
        learner = learner_of(plan, self._task, self._batch_steps)
        key = (campaign, network, learner, plan.carries, plan.share, plan.low_rank)
        if self._built is None or self._built[0] != key:
            found = make_trainer(
                self._make_env, network, learner, seed=self._seed, teacher=self._master, **_shared(plan)
            )
            if self._built is not None:
                self._let_go(self._built[1])
            self._built = key, found
        return self._built[1]

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
        self._come_back(trainer)
        return practise(base, assignment, trainer, robot_id, private, on_iteration, self._wanted)

    def tune(
        self, guild: Skill, iterations: int, rate: float, on_iteration: Callable[[TrainingReport], None]
    ) -> Tensors:
        """See `fleet.place.Place.tune`; with a trainer of its own, so that rounds' stays as it is."""
        return self._alone(guild, TUNING, [rate] * iterations, on_iteration)[0]

    def lacks_master(self, plan: TrainingPlan) -> bool:
        """See `fleet.place.Place.lacks_master`."""
        return plan.master_iterations > 0 and self._bench is not None and self._master() is None

    def train_master(
        self, base: Skill, plan: TrainingPlan, on_iteration: Callable[[TrainingReport], None]
    ) -> None:
        """See `fleet.place.Place.train_master`; rates fall as in a campaign of so many rounds."""
        count = plan.master_iterations
        rates = [plan.rate_of_round(number, count) for number in range(1, count + 1)]
        weights, report = self._alone(base, MASTER, rates, on_iteration)
        master = master_from(base, weights, report.steps)
        if self.rehearse(master) < self.rehearse(base):
            master = base
        if self._bench is not None:
            bring_skill(self._bench, self._task, master)

    @abstractmethod
    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """See `fleet.place.Place.rehearse`."""

    @abstractmethod
    def _let_go(self, trainer: Trainer) -> None:
        """A trainer is not used any more."""

    @abstractmethod
    def _come_back(self, trainer: Trainer) -> None:
        """Another round begins with a trainer."""

    def _alone(
        self,
        skill: Skill,
        number: int,
        rates: Sequence[float],
        on_iteration: Callable[[TrainingReport], None],
    ) -> tuple[Tensors, TrainingReport]:
        """Train without the guild, an iteration at each rate, with a trainer for just that."""
        learner = learner_of(AT_HOME, self._task, self._batch_steps)
        seed, network = _drawn(self._seed, number), skill.manifest.network
        trainer = make_trainer(self._make_env, network, learner, seed=seed, **_shared(AT_HOME))
        try:
            return train_locally(trainer, skill, rates, 1, on_iteration=on_iteration, on_step=self._wanted)
        finally:
            self._let_go(trainer)

    def _master(self) -> Player | Episodes | None:
        return None if self._bench is None else master_of(self._bench, self._task)


class TwinPlace(_Home):
    """One workshop's simulation: the robot's arm, peculiarities and seams; see `Options`."""

    def __init__(
        self, task: Task, workshop: Workshop, *, episodes: int = 32, **options: Unpack[Options]
    ) -> None:
        super().__init__(
            task, partial(make_vector_env, task, workshop, PARALLEL), episodes=episodes, **options
        )
        self._workshop = workshop

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """Success of the skill in this workshop, see `fleet.place.Place.rehearse`."""
        policy = _Left(Policy(skill), self._stopped)
        count, seed = episodes or self._episodes, REHEARSAL_SEED + draw
        return evaluate(policy, self._task, self._workshop, count, seed).score

    def try_version(self, skill: Skill) -> float:
        """See `fleet.place.Place.try_version`."""
        return self.rehearse(skill)

    def _let_go(self, trainer: Trainer) -> None:
        trainer.close()

    def _come_back(self, trainer: Trainer) -> None:
        pass  # its simulations are where it left them


class OwnPlace(_Home):
    """A robot's own environment, one episode after the other; it practises and rehearses in the same.

    It is checked by `fleet.own_robot.load_env`; whoever opened it closes it. New versions are tried in its
    `twin`, a place in simulation, where it has one. See `Options`.
    """

    def __init__(
        self,
        env: Env,
        task: Task,
        twin: TwinPlace | None = None,
        *,
        episodes: int = 8,
        **options: Unpack[Options],
    ) -> None:
        # One for all rounds: a vector environment that is thrown away closes what is in it.
        copies = vectorise(env)
        super().__init__(task, lambda _: copies, episodes, **options)
        self._env, self._twin = env, twin
        self.has_twin = twin is not None

    def try_version(self, skill: Skill) -> float | None:
        """See `fleet.place.Place.try_version`."""
        return None if self._twin is None else self._twin.rehearse(skill)

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:
        """Success of the skill on this robot, see `fleet.place.Place.rehearse`."""
        policy = _Left(Policy(skill), self._stopped)
        count = episodes or self._episodes
        return rehearse(self._env, policy, self._task, count, self._seed + draw * count).score

    def _let_go(self, trainer: Trainer) -> None:
        pass  # the environment stays open

    def _come_back(self, trainer: Trainer) -> None:
        trainer.leave()  # since the last round the robot was elsewhere


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
        "low_rank": plan.low_rank,
    }


def _drawn(seed: int, number: int) -> int:
    """A seed for each of the things that are trained here."""
    return int(np.random.default_rng([seed, number]).integers(2**31))


def _check_wanted(stopped: Stopped) -> None:
    if stopped():
        raise StoppedError
