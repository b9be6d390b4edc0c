"""What learning together is worth: `python -m benchmarks.learning [EXPERIMENT ...]`, or `make results`.

What was run before is not run again: rows lie in benchmarks/results/learning.csv. `--quick` shows in a few
minutes that all of it runs, in a file of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.learning.experiments import EXPERIMENTS, Experiment
from benchmarks.learning.methods import METHODS
from benchmarks.learning.record import FILE, Row, append, read
from benchmarks.learning.report import write_report
from benchmarks.learning.setting import Setting
from envs.evaluate import Player, evaluate_many
from envs.scripted import controller, controller_names
from envs.workshop import Workshop
from fleet.twin import learner_of
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.policy import Policy

SCORE_SEED = 71_000
QUICK = Path("benchmarks/results/learning-quick.csv")


def main() -> None:
    """Run what is missing, then write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=", ".join(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, help="instead of the experiment's own number")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="a few minutes: does it run?")
    options = parser.parse_args()
    names = options.experiments or list(EXPERIMENTS)
    if unknown := set(names) - EXPERIMENTS.keys():
        parser.error(
            f"there is no experiment {', '.join(sorted(unknown))}; there are {', '.join(EXPERIMENTS)}"
        )
    file = QUICK if options.quick else FILE
    with Crew(Processes(options.processes)) as crew:
        for name in names:
            seeds = options.seeds or (1 if options.quick else EXPERIMENTS[name].seeds)
            run(crew, name, EXPERIMENTS[name], seeds, file, quick=options.quick)
    if not options.quick:
        write_report(EXPERIMENTS, read(file), np.random.default_rng(0))


def run(crew: Crew, name: str, experiment: Experiment, seeds: int, file: Path, *, quick: bool) -> None:
    """Run every variant and controller at every seed that the file lacks."""
    done = {row.key for row in read(file)}
    wanted = [(variant, seed) for seed in range(seeds) for variant in [*experiment.variants, ""]]
    bars = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*bars) as progress:
        bar = progress.add_task(name, total=len(wanted))
        for variant, seed in wanted:
            setting = experiment.setting(seed, variant)
            setting = setting.quick() if quick else setting
            if not variant:
                rows = controllers(name, setting)
                append(file, [row for row in rows if row.key not in done])
            elif (name, variant, seed) not in done:

                def tell(what: str, variant: str = variant, seed: int = seed) -> None:
                    progress.update(bar, description=f"{name}: {variant}, seed {seed}, {what}")

                append(file, [learn(crew, name, variant, experiment, setting, tell)])
            progress.advance(bar)


def learn(
    crew: Crew, name: str, variant: str, experiment: Experiment, setting: Setting, tell: Callable[[str], None]
) -> Row:
    """One run of a variant, and its scores."""
    begun = time.perf_counter()
    skills = METHODS[experiment.variants[variant].method](crew, setting, tell)
    return Row(
        experiment=name,
        method=variant,
        seed=setting.seed,
        robots=setting.robots,
        rounds=setting.rounds,
        steps=steps_of(experiment.variants[variant].method, setting),
        seconds=round(time.perf_counter() - begun, 1),
        scores=scores([Policy(skill) for skill in skills], setting),
    )


def steps_of(method: str, setting: Setting) -> int:
    """Of one robot; lessons count those of its master as well."""
    rounds = setting.training.iterations * setting.rounds
    steps = learner_of(setting.training, setting.loaded()).batch * rounds
    return steps + (setting.loaded().file.training.learner.batch * rounds if method == "lessons" else 0)


def controllers(name: str, setting: Setting) -> list[Row]:
    """The task's controllers as yardsticks, in the same workshops."""
    task = setting.loaded()
    return [
        Row(
            experiment=name,
            method=f"controller {each}",
            seed=setting.seed,
            robots=setting.robots,
            rounds=0,
            steps=0,
            seconds=0.0,
            scores=scores([controller(each, task)], setting),
        )
        for each in controller_names(task)
    ]


def scores(players: Sequence[Player], setting: Setting) -> dict[str, tuple[float, ...]]:
    """Success by place: of one player for all robots, or of one a robot.

    A robot's own skill is scored elsewhere in two other homes, and unseen in every workshop that is its turn.
    """
    places, count = setting.places(), len(players)

    def of(number: int, shops: Sequence[Workshop]) -> list[float]:
        found = evaluate_many(players[number % count], setting.loaded(), shops, setting.episodes, SCORE_SEED)
        return [each.score for each in found]

    homes = list(enumerate(places.homes))
    others = [
        (n, places.homes[(n + step) % len(homes)]) for n, _ in homes for step in (1, 2) if len(homes) > step
    ]
    return {
        "home": tuple(score for number, home in homes for score in of(number, [home])),
        "changed": tuple(score for number, shop in enumerate(places.changed) for score in of(number, [shop])),
        "elsewhere": tuple(score for number, shop in others for score in of(number, [shop])),
        "unseen": tuple(score for number, shop in enumerate(places.unseen) for score in of(number, [shop])),
    }


if __name__ == "__main__":
    main()
