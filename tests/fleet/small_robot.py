"""A robot whose training takes no time and no RLlib: it adds the same small step to every weight."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fleet.agent import Agent, AgentSettings
from fleet.membership import connect, join
from fleet.place import Iteration, Place
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from skills.container import Tensors
from skills.delta import Delta, DeltaHeader
from skills.fits import Abilities, Ability
from skills.initial import initial_skill
from skills.manifest import Channel, Contract, Manifest
from skills.messages.plans import TrainingPlan
from skills.messages.rounds import Assignment
from skills.networks.mlp import Mlp
from skills.skill import Skill
from tests.signed_guild import TOKEN

CONTRACT = Contract(
    observation=(Channel(name="error", size=2, unit="m", scale=0.01),),
    action=(Channel(name="velocity", size=1, unit="m/s", scale=0.1),),
    control_hz=50,
)
STEPS = 100


def small_skill(version: int = 1, *, seed: int = 0, contract: Contract = CONTRACT, **changes: Any) -> Skill:
    network = Mlp(inputs=contract.observation_size, outputs=contract.action_size, hidden=(3,))
    manifest = Manifest(name="follow", version=version, task="follow", contract=contract, network=network)
    return initial_skill(manifest.model_copy(update=changes), seed=seed + version)


@dataclass(frozen=True)
class OneIteration:
    steps: int = STEPS
    success_rate: float | None = 0.5
    learning: dict[str, float] = field(default_factory=lambda: {"kl": 0.01})


@dataclass(frozen=True)
class SmallWork:
    """A round's work; what is kept counts the rounds that led to it."""

    delta: Delta
    private: Tensors


@dataclass
class SmallPlace:
    """Scores are looked up by version; trained rounds are counted.

    Tuning adds its rate to every weight; what has weights of it scores `tuned_scores`, by draw.
    """

    contract: Contract = CONTRACT
    task_digest: str | None = None
    trains: bool = True
    has_twin: bool = True
    scores: dict[int, float] = field(default_factory=dict)
    trained: list[str] = field(default_factory=list)
    step: float = 0.25
    tuned_scores: tuple[float, float] = (0.0, 0.0)
    guild: Skill | None = None
    master: Skill | None = None

    def practise(
        self,
        base: Skill,
        assignment: Assignment,
        robot_id: str,
        private: Tensors,
        on_iteration: Callable[[Iteration], None],
    ) -> SmallWork:
        for _ in range(assignment.training.iterations):
            on_iteration(OneIteration())
        self.trained.append(assignment.round_id)
        header = DeltaHeader(
            base=base.digest,
            round_id=assignment.round_id,
            robot_id=robot_id,
            codec=assignment.training.codec,
            samples=STEPS * assignment.training.iterations,
        )
        rounds = private.get("rounds", np.zeros(1, np.float32)) + 1
        delta = Delta(header, {name: np.full(t.shape, self.step) for name, t in base.tensors.items()})
        return SmallWork(delta, {"rounds": rounds})

    def tune(
        self, guild: Skill, iterations: int, rate: float, on_iteration: Callable[[Iteration], None]
    ) -> Tensors:
        self.guild = guild
        for _ in range(iterations):
            on_iteration(OneIteration())
        return {name: tensor + np.float32(rate) for name, tensor in guild.tensors.items()}

    def lacks_master(self, plan: TrainingPlan) -> bool:
        return plan.master_iterations > 0 and self.master is None

    def train_master(
        self, base: Skill, plan: TrainingPlan, on_iteration: Callable[[Iteration], None]
    ) -> None:
        for _ in range(plan.master_iterations):
            on_iteration(OneIteration())
        self.master = base

    def try_version(self, skill: Skill) -> float | None:
        return self.rehearse(skill) if self.has_twin else None

    def rehearse(self, skill: Skill, *, episodes: int | None = None, draw: int = 0) -> float:  # noqa: ARG002
        if self._is_tuned(skill):
            return self.tuned_scores[draw]
        return self.scores.get(skill.manifest.version, 0.5)

    def _is_tuned(self, skill: Skill) -> bool:
        if self.guild is None or skill.manifest.version != self.guild.manifest.version:
            return False
        return any((tensor != self.guild.tensors[name]).any() for name, tensor in skill.tensors.items())


@dataclass
class SmallRobot:
    """An agent with its bench and everything that it said."""

    agent: Agent
    bench: RobotFolder
    place: Any
    said: list[Progress]

    @property
    def phases(self) -> list[str]:
        return [progress.phase for progress in self.said]


def make_robot(
    home: Path,
    hub: str,
    *,
    name: str = "anna",
    skill: str = "follow",
    embodiment: str = "ur5e",
    place: Place | None = None,
    settings: AgentSettings | None = None,
    token: str = TOKEN,
    listen: Callable[[Progress], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.time,
) -> SmallRobot:
    bench = RobotFolder(home)
    identity = join(bench, hub, token=token, name=name, embodiment=embodiment)
    place = place or SmallPlace()
    said: list[Progress] = []

    def report(progress: Progress) -> None:
        said.append(progress)
        listen(progress)

    agent = Agent(
        skill,
        identity,
        bench,
        connect(bench),
        place,
        settings or AgentSettings(look_seconds=0),
        abilities=Abilities(abilities=(Ability(task="follow", contract=CONTRACT),)),
        rng=np.random.default_rng(0),
        report=report,
        stopped=stopped,
        clock=clock,
    )
    return SmallRobot(agent, bench, place, said)
