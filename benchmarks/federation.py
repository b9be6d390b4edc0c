"""Does federation pay? Four workshops with and without a guild: `python benchmarks/federation.py`.

Rounds, learning rates and merging are those that a campaign orders by default; the hub with its HTTP,
signatures, codecs and gate is left out. Prints one line per seed: success of the guild's skill and of
robots that trained alone with as many own steps, at home, elsewhere and in fresh workshops of unseen arms.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from envs.evaluate import evaluate_many
from envs.scripted import controller
from envs.task import load_task
from envs.workshop import FLEET, fresh_workshop, load_workshop
from fleet.local_training import train_alone
from fleet.practice import train_locally
from fleet.twin import TwinPlace
from fleet.workers.crew import Crew, Line
from fleet.workers.processes import Processes
from hub.merging import ServerMomentum, merge_arrays
from skills.container import Tensors
from skills.delta import apply, subtract
from skills.messages.campaigns import CampaignRequest
from skills.policy import Policy
from skills.skill import Skill
from zunft.new_skill import new_skill

TASK = load_task("weld-seam")
ORDER = CampaignRequest(skill=TASK.name)
HOMES = [load_workshop(name) for name in FLEET]
FRESH = [fresh_workshop(TASK.file, arm, 500 + number) for arm in ("kinova3", "sawyer") for number in range(4)]
SCORE_SEED = 90_000


@dataclass(frozen=True)
class Result:
    """Mean success of one seed's run."""

    guild: list[float]
    guild_unseen: float
    alone_home: float
    alone_elsewhere: float
    alone_unseen: float
    together_seconds: float
    alone_seconds: float

    def __str__(self) -> str:
        each = " ".join(f"{score:.2f}" for score in self.guild)
        return (
            f"guild {np.mean(self.guild):.3f} ({each}), unseen {self.guild_unseen:.3f} | "
            f"alone at home {self.alone_home:.3f}, elsewhere {self.alone_elsewhere:.3f}, "
            f"unseen {self.alone_unseen:.3f} | {self.together_seconds:.0f} s together, "
            f"{self.alone_seconds:.0f} s alone"
        )


def main() -> None:
    """Run each seed and print its line, after the scripted controllers' as a yardstick."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--episodes", type=int, default=64, help="in each workshop")
    parser.add_argument("--rounds", type=int, default=ORDER.rounds)
    options = parser.parse_args()
    for name in ("p", "pd-look-ahead"):
        print(f"scripted {name}: {scripted(name, options.episodes)}", flush=True)
    with Crew(Processes(options.processes)) as crew:
        for seed in options.seeds:
            print(f"seed {seed}: {measure(crew, seed, options.rounds, options.episodes)}", flush=True)


def scripted(name: str, episodes: int) -> str:
    """Mean success of a controller written by hand."""
    policy = controller(name, TASK)
    scores = [each.score for each in evaluate_many(policy, TASK, [*HOMES, *FRESH], episodes, SCORE_SEED)]
    return f"fleet {np.mean(scores[: len(HOMES)]):.3f}, unseen {np.mean(scores[len(HOMES) :]):.3f}"


def measure(crew: Crew, seed: int, rounds: int, episodes: int) -> Result:
    """Train with and without the guild from one seed, and score all."""
    start = time.perf_counter()
    first = new_skill(TASK.name, seed=seed)
    guild = learn_together(crew, first, seed, rounds)
    together = time.perf_counter()
    alone = run(crew, train_one_alone, [(first, number, seed, rounds) for number in range(len(HOMES))])
    apart = time.perf_counter()
    scores = run(crew, score, [(skill, episodes) for skill in (guild, *alone)])
    own = np.array([each[: len(HOMES)] for each in scores[1:]])
    return Result(
        guild=scores[0][: len(HOMES)],
        guild_unseen=float(np.mean(scores[0][len(HOMES) :])),
        alone_home=float(np.diag(own).mean()),
        alone_elsewhere=float(own[~np.eye(len(HOMES), dtype=bool)].mean()),
        alone_unseen=float(np.mean([each[len(HOMES) :] for each in scores[1:]])),
        together_seconds=together - start,
        alone_seconds=apart - together,
    )


def learn_together(crew: Crew, skill: Skill, seed: int, rounds: int) -> Skill:
    """The campaign: every robot trains from the same base, the mean of the deltas moves it on."""
    optimiser, velocity = ServerMomentum(ORDER.merge.momentum, ORDER.merge.step), None
    for number in range(1, rounds + 1):
        rate = ORDER.training.rate_of_round(number, rounds)
        deltas = run(crew, train_one_round, [(skill, robot, seed, rate) for robot in range(len(HOMES))])
        velocity, step = optimiser.update(velocity, merge_arrays(deltas))
        skill = Skill(skill.manifest, apply(skill.tensors, step))
    return skill


def run(crew: Crew, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Results of the function for all arguments, in order."""
    return crew.run(function, arguments, labels=[""] * len(arguments), on_progress=lambda _: None)


def train_one_round(_: Line, skill: Skill, number: int, seed: int, rate: float) -> Tensors:
    """One robot's delta of one round."""
    trainer = ground(number, seed).trainer(skill.manifest.network, ORDER.training)
    plan = ORDER.training
    weights, _report = train_locally(trainer, skill, [rate], plan.iterations, proximal=plan.proximal)
    return dict(subtract(weights, skill.tensors))


def train_one_alone(_: Line, skill: Skill, number: int, seed: int, rounds: int) -> Skill:
    """One robot's skill without the guild."""
    return train_alone(skill, TASK, HOMES[number], ORDER.training, rounds, seed=seed + number)


def score(_: Line, skill: Skill, episodes: int) -> list[float]:
    """Success in the fleet's workshops, then in the fresh ones."""
    shops = [*HOMES, *FRESH]
    return [each.score for each in evaluate_many(Policy(skill), TASK, shops, episodes, SCORE_SEED)]


@cache
def ground(number: int, seed: int) -> TwinPlace:
    """A robot's simulation; it lives as long as its process."""
    return TwinPlace(TASK, HOMES[number], seed=seed + number)


if __name__ == "__main__":
    main()
