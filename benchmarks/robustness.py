"""What liars do to a campaign, rule by rule: `python -m benchmarks.robustness`, half an hour on two cores.

Ten robots learn weld-seam in simulation, without hub and HTTP. After a few rounds without attack, from which
all cells start, three of the ten send what `benchmarks.attacks` makes of the others' deltas; every delta is
clipped as admission demands. Each cell is a rule under an attack; finished cells are kept in `--folder` and
not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.attacks import ATTACKS, forge
from envs.evaluate import Evaluation, pool
from envs.task import load_task
from envs.vector import make_vector_env
from envs.workshop import FLEET, fresh_workshop, load_workshop
from fleet.training.ppo import PpoTrainer
from fleet.twin import PARALLEL
from fleet.workers.crew import Crew, Line
from fleet.workers.processes import Processes
from hub.merging import ServerMomentum, merge_arrays
from skills.delta import apply, clip, subtract
from skills.messages.campaigns import CampaignRequest
from skills.messages.training import Ppo
from skills.skill import Skill
from zunft.demo.scoreboard import Cell, measure
from zunft.new_skill import new_skill

TASK = load_task("weld-seam")
ORDER = CampaignRequest(skill=TASK.name)
ARMS = ("ur5e", "panda", "iiwa", "xarm7", "kinova3", "sawyer")
ROBOTS = [
    *(load_workshop(name) for name in FLEET),
    *(fresh_workshop(TASK.file, arm, 700 + i) for i, arm in enumerate(ARMS)),
]
LIARS = 3  # the last of the robots
HELD_OUT = [
    fresh_workshop(TASK.file, arm, 500 + i)
    for arm in ("kinova3", "panda", "sawyer", "ur5e")
    for i in range(2)
]
SCORE_SEED = 90_000
BATCH = 1600  # half of a trainer's default, to pay for more cells

ALONE: dict[str, dict[str, Any]] = {
    "mean": {"rule": "mean"},
    "clip+mean": {"rule": "mean", "clip": 1.0},
    "median": {"rule": "median", "byzantine": LIARS},
    "trimmed-mean": {"rule": "trimmed-mean", "trim": 0.3, "byzantine": LIARS},
    "krum": {"rule": "krum", "byzantine": LIARS},
    "multi-krum": {"rule": "multi-krum", "byzantine": LIARS},
    "geometric-median": {"rule": "geometric-median", "byzantine": LIARS},
    "centred-clipping": {"rule": "centred-clipping", "byzantine": LIARS},
    "mda": {"rule": "mda", "byzantine": LIARS},
}
MIXED = {
    f"mixing+{name}": {**options, "mixing": True} for name, options in ALONE.items() if "byzantine" in options
}
RULES = {**ALONE, **MIXED}
TABLES = {"alone": tuple(ALONE), "mixed": ("mean", *MIXED)}
NO_ATTACK = "none"
COLUMNS = (NO_ATTACK, *ATTACKS)
TOLERANCE = 0.1  # of success, against the mean without attack

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "merging.md"
RESULT = ROOT / "benchmarks" / "results" / "robustness.md"


@dataclass(frozen=True)
class Plan:
    """What all cells of one seed share.

    Attributes:
        seed: Of the first skill and of all training.
        peaceful: Rounds without attack that make the skill from which all cells start.
        rounds: Rounds under attack.
        episodes: Jobs in each held-out workshop.
    """

    seed: int
    peaceful: int
    rounds: int
    episodes: int

    def rate(self, number: int) -> float:
        """Learning rate of round `number`, from 1 on, falling over both parts of the campaign."""
        return ORDER.training.rate_of_round(number, self.peaceful + self.rounds)


@dataclass(frozen=True)
class Finding:
    """Success of what one rule made under one attack."""

    plan: Plan
    rule: str
    attack: str
    successes: int
    episodes: int


def main() -> None:
    """Run the cells that are missing, then print the table of all that are there."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    plans = [Plan(seed, options.peaceful, options.rounds, options.episodes) for seed in options.seeds]
    notes = options.folder / "cells.jsonl"
    known = {(each.plan, each.rule, each.attack) for each in read(notes)}
    wanted = [key for key in product(plans, options.rules, options.attacks) if key not in known]
    with Crew(Processes(options.processes)) as crew, _bar() as bar:
        task = bar.add_task("", total=len(wanted))
        campaigns: dict[Plan, Campaign] = {}
        for plan, rule, attack in wanted:
            bar.update(task, description=f"seed {plan.seed}: {rule} under {attack}")
            if plan not in campaigns:
                campaigns[plan] = Campaign(crew, plan, options.folder)
            found = campaigns[plan].run(rule, attack)
            finding = Finding(plan, rule, attack, found.successes, found.episodes)
            with notes.open("a") as file:
                file.write(json.dumps(asdict(finding)) + "\n")
            bar.advance(task)
    for name, rules in TABLES.items():
        table = report(read(notes), plans, rules)
        print(table)
        if table and name in options.write:
            write(name, table)


class Campaign:
    """One seed's campaign, run again and again from where the attacks begin."""

    def __init__(self, crew: Crew, plan: Plan, folder: Path) -> None:
        self._crew = crew
        self._plan = plan
        path = folder / f"start-{plan.seed}-{plan.peaceful}-{plan.rounds}.skill"
        if not path.exists():
            skill = new_skill(TASK.name, seed=plan.seed)
            self._learn(skill, range(1, plan.peaceful + 1), "mean", NO_ATTACK).save(path)
        self._start = Skill.load(path)
        self._first = self._train(self._start, plan.peaceful + 1, len(ROBOTS))

    def run(self, rule: str, attack: str) -> Evaluation:
        """Success in the held-out workshops after the rounds under attack."""
        begin = self._plan.peaceful + 1
        skill = self._learn(self._start, range(begin, begin + self._plan.rounds), rule, attack)
        cells = [Cell("guild", workshop) for workshop in HELD_OUT]
        scores = measure(
            self._crew,
            cells,
            {"guild": skill},
            task=TASK.name,
            episodes=self._plan.episodes,
            seed=SCORE_SEED,
            on_progress=lambda _: None,
        )
        return pool(scores.values())

    def _learn(self, skill: Skill, rounds: range, rule: str, attack: str) -> Skill:
        optimiser, velocity = ServerMomentum(ORDER.merge.momentum, ORDER.merge.step), None
        for number in rounds:
            merged = merge_arrays(self._deltas(skill, number, attack), **RULES[rule])
            velocity, step = optimiser.update(velocity, merged)
            skill = Skill(skill.manifest, apply(skill.tensors, step))
        return skill

    def _deltas(self, skill: Skill, number: int, attack: str) -> list[dict[str, Any]]:
        """What the hub admits in a round: honest deltas first, then the liars'."""
        honest = len(ROBOTS) - (0 if attack == NO_ATTACK else LIARS)
        if number == self._plan.peaceful + 1:
            deltas = self._first[:honest]  # the same for all cells
        else:
            deltas = self._train(skill, number, honest)
        if attack != NO_ATTACK:
            rng = np.random.default_rng([self._plan.seed, number])
            deltas = [*deltas, *forge(attack, deltas, LIARS, rng)]
        return [dict(clip(delta, ORDER.training.clip_norm)) for delta in deltas]

    def _train(self, skill: Skill, number: int, robots: int) -> list[dict[str, Any]]:
        jobs = [(skill, robot, self._plan.seed, number, self._plan.rate(number)) for robot in range(robots)]
        names = [workshop.name for workshop in ROBOTS[:robots]]
        return self._crew.run(train, jobs, labels=names, on_progress=lambda _: None)


def train(_: Line, skill: Skill, robot: int, seed: int, number: int, rate: float) -> dict[str, Any]:
    """One robot's delta of one round; a trainer of its own, so that cells do not depend on each other."""
    make = partial(make_vector_env, TASK, ROBOTS[robot], PARALLEL)
    own = int(np.random.SeedSequence([seed, robot, number]).generate_state(1)[0])
    trainer = PpoTrainer(make, skill.manifest.network, Ppo(batch=BATCH), seed=own)
    trainer.take(skill.tensors)
    trainer.train(ORDER.training.iterations, rate, proximal=ORDER.training.proximal)
    trainer.close()
    return dict(subtract(trainer.shared(), skill.tensors))


def read(notes: Path) -> Iterator[Finding]:
    """Findings of earlier runs."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    for line in lines:
        found = json.loads(line)
        yield Finding(**{**found, "plan": Plan(**found["plan"])})


def report(findings: Iterator[Finding], plans: Sequence[Plan], rules: Sequence[str]) -> str:
    """A table in Markdown, with what it takes to read it; a cell that lacks a seed stays empty.

    Empty itself where none of the rules was measured, or not the mean without attack, to compare with.
    """
    cells: dict[tuple[str, str], list[Finding]] = {}
    for each in findings:
        if each.plan in plans:
            cells.setdefault((each.rule, each.attack), []).append(each)
    scores = {
        key: Evaluation.count(sum(each.successes for each in cell), sum(each.episodes for each in cell))
        for key, cell in cells.items()
        if len(cell) == len(plans)
    }
    free = scores.get(("mean", NO_ATTACK))
    measured = [rule for rule in rules if any(rule == found for found, _ in scores)]
    if free is None or not measured:
        return ""
    intro = (
        f"Success in {len(HELD_OUT)} held-out workshops, {free.episodes} jobs a cell, seeds "
        f"{', '.join(str(plan.seed) for plan in plans)}: after {plans[0].peaceful} rounds without and "
        f"{plans[0].rounds} with attack by {LIARS} of {len(ROBOTS)} robots. The mean without attack reaches "
        f"{free.score:.2f} (Wilson 95 % {free.low:.2f}-{free.high:.2f}); **bold** is more than {TOLERANCE} "
        "below that, empty was not run."
    )
    rows = [f"| rule | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    rows += [f"| {rule} | {' | '.join(_cells(scores, rule, free.score - TOLERANCE))} |" for rule in measured]
    return "\n".join([intro, "", *rows])


def write(name: str, table: str) -> None:
    """Put a table in its place on the page for operators and among the results."""
    begin, end = f"<!-- robustness {name} -->", f"<!-- /robustness {name} -->"
    for page in (PAGE, RESULT):
        before, rest = page.read_text().split(begin)
        page.write_text(f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}")


def _cells(scores: Mapping[tuple[str, str], Evaluation], rule: str, least: float) -> Iterator[str]:
    for attack in COLUMNS:
        found = scores.get((rule, attack))
        yield (
            ""
            if found is None
            else f"{found.score:.2f}"
            if found.score >= least
            else f"**{found.score:.2f}**"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--peaceful", type=int, default=3, help="rounds before the attacks")
    parser.add_argument("--rounds", type=int, default=4, help="rounds under attack")
    parser.add_argument("--episodes", type=int, default=64, help="in each held-out workshop")
    parser.add_argument("--rules", nargs="+", choices=RULES, default=list(RULES))
    parser.add_argument("--attacks", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "robustness")
    parser.add_argument(
        "--write", nargs="+", choices=TABLES, default=[], help="these tables into docs and results"
    )
    return parser.parse_args()


def _bar() -> Progress:
    return Progress(MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))


if __name__ == "__main__":
    main()
