"""From rows to docs/results.md and its pictures: figures with intervals, and whether each aim was met."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import StatisticsError, median

import matplotlib as mpl
import numpy as np

from benchmarks.learning.experiment import Experiment
from benchmarks.learning.record import PLACES, Row
from benchmarks.learning.summary import Aim, Figure, figure

__all__ = ["PAGE", "write_report"]

PAGE = Path("docs/results.md")
HEAD = """# Results

What learning together is worth. Made by `make results` from
[benchmarks/results/learning.csv](../benchmarks/results/learning.csv), one row a run. Success, interquartile
mean over seeds and workshops with the interval of 95 % of its bootstrap. Each seed has workshops of its own,
which nobody looked at while tuning. *home*: where a robot trained; *changed*: the same with its peculiarities
drawn anew; *elsewhere*: other robots' homes; *unseen*: workshops that nobody trained in. *steps*: the median
over seeds, those of a master, of tuning and of going on with them.
"""

Table = dict[tuple[str, str], Figure]


def write_report(
    experiments: Mapping[str, Experiment], rows: Sequence[Row], rng: np.random.Generator, page: Path = PAGE
) -> None:
    """Write the page and a picture for each experiment that has runs."""
    text = HEAD
    for name, experiment in experiments.items():
        found = [row for row in rows if row.experiment == name]
        if found:
            text += _section(name, experiment, found, rng, page.parent)
    page.write_text(text, encoding="utf-8")


def _section(
    name: str, experiment: Experiment, rows: Sequence[Row], rng: np.random.Generator, folder: Path
) -> str:
    methods = list(dict.fromkeys(row.method for row in rows))
    table: Table = {
        (method, place): figure(own, place, rng)
        for method in methods
        for place in PLACES
        if (own := [row for row in rows if row.method == method and row.scores[place]])
    }
    seeds = len({row.seed for row in rows})
    draw(table, methods, folder / f"results-{name}.svg")
    lines = [
        f"\n## {experiment.title}\n",
        f"`{experiment.task}`, {experiment.robots} robots, {seeds} of {experiment.seeds} seeds.\n",
        f"![{experiment.title}](results-{name}.svg)\n",
        "| method | seeds | steps a robot | " + " | ".join(PLACES) + " |",
        "|---|---|---|" + "---|" * len(PLACES),
    ]
    for method in methods:
        own = [row for row in rows if row.method == method]
        steps = round(median(row.steps for row in own))
        cells = " | ".join(str(table.get((method, place), "-")) for place in PLACES)
        lines.append(f"| {method} | {len(own)} | {steps:,} | {cells} |")
    runs = Counter(row.method for row in rows)
    whole = all(runs[method] >= experiment.seeds for method in experiment.variants)
    lines += ["", *(f"- {_verdict(aim, table, rows, whole=whole)}" for aim in experiment.aims)]
    return "\n".join(lines) + "\n"


def _verdict(aim: Aim, table: Table, rows: Sequence[Row], *, whole: bool) -> str:
    def of(method: str, what: str) -> float:
        if what == "steps":
            return median(row.steps for row in rows if row.method == method)
        return table[method, what].mean

    try:
        reached = aim.reached(of)
    except (KeyError, StatisticsError):
        return f"{aim.text}: not run yet"
    return f"{aim.text}: **{'met' if reached else 'missed'}**{'' if whole else ', so far'}"


def draw(table: Table, methods: Sequence[str], path: Path) -> None:
    """Bars a method and place, with their intervals."""
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "zunft", "font.size": 9})
    import matplotlib.pyplot as plt  # noqa: PLC0415 - after the backend was chosen

    shades = ("#1f5f63", "#5b9ea1", "#c9a66b", "#c8502a")
    plot, axes = plt.subplots(figsize=(8, 0.62 * len(methods) + 1))
    for step, (place, shade) in enumerate(zip(PLACES, shades, strict=True)):
        nothing = Figure(0.0, 0.0, 0.0)
        found = [table.get((method, place), nothing) for method in methods]
        means = np.array([each.mean for each in found])
        spread = np.abs(np.array([[each.low, each.high] for each in found]).T - means)
        where = np.arange(len(methods)) + 0.2 * step
        axes.barh(where, means, 0.18, xerr=spread, color=shade, label=place, error_kw={"lw": 0.8})
    axes.set_yticks(np.arange(len(methods)) + 0.3, methods)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("success")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    plot.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(plot)
