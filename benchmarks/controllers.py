"""What a task's controllers reach in drawn workshops: fixed ones, those that remember, the one that is told.

Shares of jobs done, the same jobs for all of them; what learns is compared by `benchmarks.learning`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from envs.evaluate import evaluate
from envs.scripted import controllers
from envs.task import load_task
from envs.values import Floats, Indices
from envs.workshop import Workshop, fresh_workshop

FIRST_SEED, JOBS, SEED = 200, 32, 7


def main() -> None:
    """Score all of them and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="swing-load")
    parser.add_argument("--workshops", type=int, default=72)
    parser.add_argument(
        "--by",
        nargs="*",
        default=["delay", "length"],
        help="figures of the jobs: workshops in up to four groups by where theirs begin, the least first",
    )
    asked = parser.parse_args()
    task = load_task(asked.task)
    robots = task.file.embodiments
    shops = [
        fresh_workshop(task.file, robots[number % len(robots)], FIRST_SEED + number, held_out=True)
        for number in range(asked.workshops)
    ]
    groups = {name: _groups(shops, name) for name in asked.by}
    print(f"{task.name}: {len(shops)} workshops, {JOBS} jobs each")
    print(f"{'':24} {'mean':>5} {'worst':>6}  quartiles      {'by ' if groups else ''}{', '.join(groups)}")
    for name, player in controllers(task).items():
        done = np.array([evaluate(player, task, shop, JOBS, SEED).score for shop in shops])
        print(f"{f'{name} ({player.kind})':24} {_line(done, list(groups.values()))}", flush=True)


def _groups(shops: Sequence[Workshop], name: str) -> Indices:
    """To which group each workshop belongs."""
    begins = np.array([np.atleast_1d(np.array(shop.figures[name], dtype=float))[0] for shop in shops])
    distinct = np.unique(begins)
    edges = distinct[1:] if len(distinct) <= 4 else np.quantile(begins, [0.25, 0.5, 0.75])
    return np.searchsorted(edges, begins, side="right")


def _line(done: Floats, groups: Sequence[Indices]) -> str:
    rows = [np.quantile(done, [0.25, 0.5, 0.75])]
    rows += [np.array([done[group == each].mean() for each in np.unique(group)]) for group in groups]
    parts = [" ".join(f"{share:.2f}" for share in row) for row in rows]
    return f"{done.mean():5.2f} {done.min():6.2f}  {'  '.join(parts)}"


if __name__ == "__main__":
    main()
