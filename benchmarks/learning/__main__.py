"""What learning together is worth: `python -m benchmarks.learning [EXPERIMENT ...]`, or `make results`.

What was run before is not run again: rows lie in benchmarks/results/learning.csv. `--quick` shows in a few
minutes that all of it runs, in a file of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.learning.experiment import Experiment
from benchmarks.learning.experiments import EXPERIMENTS
from benchmarks.learning.methods import learned
from benchmarks.learning.record import FILE, Row, append, read
from benchmarks.learning.report import write_report
from benchmarks.learning.scoring import scores
from benchmarks.learning.setting import Setting
from envs.scripted import controllers
from envs.task import Task, load_task
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.skill import Skill

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
    """Run every variant and every yardstick at every seed that the file lacks."""
    done = {row.key for row in read(file)}
    sticks = yardsticks(load_task(experiment.task))
    wanted = [
        (method, seed)
        for seed in range(seeds)
        for method in [*experiment.variants, *sticks]
        if (name, method, seed) not in done
    ]
    bars = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*bars) as progress:
        bar = progress.add_task(name, total=len(wanted))
        for method, seed in wanted:

            def tell(what: str, method: str = method, seed: int = seed) -> None:
                progress.update(bar, description=f"{name}: {method}, seed {seed}, {what}")

            setting = experiment.setting(seed, method if method in experiment.variants else "")
            setting = setting.quick() if quick else setting
            if method in sticks:
                row = measured(crew, name, method, setting, [sticks[method]])
            else:
                begun = time.perf_counter()
                found = learned(experiment.variants[method].method, crew, setting, tell)
                seconds = time.perf_counter() - begun
                row = measured(crew, name, method, setting, found.skills, found.steps, seconds)
            append(file, [row])
            progress.advance(bar)


def measured(
    crew: Crew,
    experiment: str,
    method: str,
    setting: Setting,
    players: Sequence[Skill | str],
    steps: int = 0,
    seconds: float = 0.0,
) -> Row:
    """What a method's skills are worth, or a yardstick."""
    return Row(
        experiment=experiment,
        method=method,
        seed=setting.seed,
        robots=setting.robots,
        rounds=setting.rounds if steps else 0,
        steps=steps,
        seconds=round(seconds, 1),
        scores=scores(crew, players, setting),
    )


def yardsticks(task: Task) -> dict[str, str]:
    """By method: the names of the task's controllers, and of its oracle where it has one."""
    return {f"controller {each.label}": name for name, each in controllers(task).items()}


if __name__ == "__main__":
    main()
