"""Others' results through our merging: `python -m benchmarks.others [EXPERIMENT ...]`, or `make others`.

What was run before is not run again: rows lie in benchmarks/results/others.csv. `--quick` shows in some
minutes that all of it runs, in a file of its own.
"""

from __future__ import annotations

import argparse
import time
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.others.experiment import Experiment
from benchmarks.others.experiments import EXPERIMENTS
from benchmarks.others.record import FILE, Row, append, read
from benchmarks.others.report import write_report

QUICK = Path("benchmarks/results/others-quick.csv")


def main() -> None:
    """Run what is missing, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiments", nargs="*", metavar="EXPERIMENT", help=", ".join(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, help="instead of the experiment's own number")
    parser.add_argument("--quick", action="store_true", help="a few minutes: does it run?")
    options = parser.parse_args()
    names = options.experiments or list(EXPERIMENTS)
    if unknown := set(names) - EXPERIMENTS.keys():
        parser.error(
            f"there is no experiment {', '.join(sorted(unknown))}; there are {', '.join(EXPERIMENTS)}"
        )
    torch.set_num_threads(1)  # the networks are too small for two
    file = QUICK if options.quick else FILE
    for name in names:
        if name == "flower" and find_spec("flwr") is None:
            print("flower: left out, for Flower is not installed; `make others` installs it.")
            continue
        seeds = options.seeds or (1 if options.quick else EXPERIMENTS[name].seeds)
        run(name, EXPERIMENTS[name], seeds, file, quick=options.quick)
    if not options.quick:
        write_report(EXPERIMENTS, read(file))


def run(name: str, experiment: Experiment, seeds: int, file: Path, *, quick: bool) -> None:
    """Run every case at every seed that the file lacks."""
    done = {row.key for row in read(file)}
    wanted = [
        (case, seed) for seed in range(seeds) for case in experiment.cases if (name, case, seed) not in done
    ]
    bars = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*bars) as progress:
        bar = progress.add_task(name, total=len(wanted))
        for case, seed in wanted:
            progress.update(bar, description=f"{name}: {case}, seed {seed}")
            begun = time.process_time()
            figures = experiment.cases[case](seed, quick)
            seconds = round(time.process_time() - begun, 1)
            append(file, Row(experiment=name, case=case, seed=seed, seconds=seconds, figures=figures))
            progress.advance(bar)


if __name__ == "__main__":
    main()
