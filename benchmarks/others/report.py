"""From rows to docs/others.md: a table an experiment with means over seeds, and where we agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.others.experiment import Claim, Experiment
from benchmarks.others.record import Row

__all__ = ["PAGE", "write_report"]

PAGE = Path("docs/others.md")
HEAD = """# Others' results with our merging, and the same guild through Flower

Made by `make others` from [benchmarks/results/others.csv](../benchmarks/results/others.csv), one row a run.
The learners are others' and written small for this page; what merges is `hub.merging`, as in every campaign.
Figures are means over seeds, in brackets the lowest and the highest seed. *reported* is what the paper
says or shows; no such figure is ours.
"""
LEFT_OUT = """
## Left out

Hopper with permuted action maps: we found no paper with figures for it, so there is nothing to agree with.
Jin et al. 2022 use Hopper with legs of other sizes; how the Hoppers of Xie and Song 2025 (client selection)
differ we could not look up.
"""


def write_report(experiments: Mapping[str, Experiment], rows: Sequence[Row], page: Path = PAGE) -> None:
    """Write the page; experiments without runs are left out."""
    text = HEAD
    for name, experiment in experiments.items():
        found = [row for row in rows if row.experiment == name]
        if found:
            text += _section(experiment, found)
    page.write_text(text + LEFT_OUT, encoding="utf-8")


def _section(experiment: Experiment, rows: Sequence[Row]) -> str:
    head = ["case", "seeds", *experiment.figures, *(["reported"] if experiment.reported else [])]
    lines = [
        f"\n## {experiment.title}\n",
        f"{experiment.source}\n",
        f"They: {experiment.theirs}\n",
        f"We: {experiment.ours}\n",
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
    ]
    for case in experiment.cases:
        if own := [row for row in rows if row.case == case]:
            cells = [
                _cell([row.figures[name] for row in own], form) for name, form in experiment.figures.items()
            ]
            last = [experiment.reported.get(case, "-")] if experiment.reported else []
            lines.append(f"| {' | '.join([case, str(len(own)), *cells, *last])} |")
    lines += ["", *(f"- {_verdict(claim, rows, experiment.words)}" for claim in experiment.claims)]
    return "\n".join(lines) + "\n"


def _cell(found: Sequence[float], form: str) -> str:
    mean, low, high = (format(figure, form) for figure in (fmean(found), min(found), max(found)))
    return mean if low == high else f"{mean} ({low}-{high})"


def _verdict(claim: Claim, rows: Sequence[Row], words: tuple[str, str]) -> str:
    def of(case: str, figure: str) -> float:
        found = [row.figures[figure] for row in rows if row.case == case]
        if not found:
            raise KeyError(case)
        return fmean(found)

    try:
        agrees = claim.agrees(of)
    except KeyError:
        return f"{claim.text}: not run yet"
    return f"{claim.text}: **{words[0] if agrees else words[1]}**"
