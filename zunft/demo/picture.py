"""The demo's result as a picture: what the guild gives, what it does not, and how it got there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws to files also where there is no screen

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from zunft.demo.report import FleetRow, Report, Score, UnseenRow, scripted_columns

__all__ = ["draw_report"]

COLOURS = {
    "alone": "#b7c3cc",
    "home": "#7d94a5",
    "guild": "#c8502a",
    "tuned": "#e39a7f",
    "p": "#8ba86b",
    "scripted": "#3c5a6e",
    "told": "#8c8c8c",
}
INK = "#22303a"


def draw_report(report: Report, path: Path) -> None:
    """Write the picture; the ending of `path` (.svg or .png) chooses the format."""
    with mpl.rc_context(
        {"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "svg.hashsalt": "zunft"}
    ):
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        grid = figure.add_gridspec(1, 3, width_ratios=(4, 2.2, 2.6))
        fleet, unseen, rounds = (figure.add_subplot(grid[0, column]) for column in range(3))
        _draw_fleet(fleet, report)
        _draw_unseen(unseen, report)
        _draw_rounds(rounds, report)
        for axes in (fleet, unseen, rounds):
            _tidy(axes)
        figure.legend(*fleet.get_legend_handles_labels(), loc="outside lower left", ncols=8, frameon=False)
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_fleet(axes: Axes, report: Report) -> None:
    rows = report.fleet
    _bars(
        axes,
        [f"{row.robot}\n{row.embodiment}" for row in rows],
        {
            ("alone, elsewhere", "alone"): [row.alone_elsewhere for row in rows],
            ("alone, at home", "home"): [row.alone_home for row in rows],
            ("guild", "guild"): [row.guild for row in rows],
            ("guild, tuned at home", "tuned"): [row.tuned for row in rows],
            **_scripted(report, rows),
        },
    )
    axes.set_title("Robots that trained", loc="left", fontweight="bold")
    axes.set_ylabel("share of jobs done")


def _draw_unseen(axes: Axes, report: Report) -> None:
    rows = report.unseen
    _bars(
        axes,
        [row.embodiment for row in rows],
        {
            ("alone policies", "alone"): [row.alone for row in rows],
            ("guild", "guild"): [row.guild for row in rows],
            **_scripted(report, rows),
        },
    )
    axes.set_title("Robots that never trained", loc="left", fontweight="bold")


def _scripted(report: Report, rows: Sequence[FleetRow | UnseenRow]) -> dict[tuple[str, str], list[Score]]:
    """The first controller in one colour, the better ones in another, those that are told in a third."""
    columns = scripted_columns(rows, report.told)
    own = len(columns) - len(report.told)

    def colour(place: int) -> str:
        return "told" if place >= own else "p" if place == 0 and own > 1 else "scripted"

    return {(name, colour(place)): scores for place, (name, scores) in enumerate(columns.items())}


def _bars(axes: Axes, labels: list[str], groups: dict[tuple[str, str], list[Score]]) -> None:
    width = 0.8 / len(groups)
    for index, ((label, colour), scores) in enumerate(groups.items()):
        left = np.arange(len(labels)) + (index - (len(groups) - 1) / 2) * width
        heights = [score.score for score in scores]
        errors = [[s.score - s.low for s in scores], [s.high - s.score for s in scores]]
        axes.bar(left, heights, width * 0.92, label=label, color=COLOURS[colour])
        axes.errorbar(left, heights, errors, fmt="none", ecolor=INK, elinewidth=0.8)
    axes.set_xticks(range(len(labels)), labels)


def _draw_rounds(axes: Axes, report: Report) -> None:
    numbers = np.arange(1, len(report.guild_by_round) + 1)
    scores = np.array(report.guild_by_round)
    published = np.array(report.published_by_round, dtype=bool)
    axes.plot(numbers, scores, color=COLOURS["guild"], linewidth=1.6)
    axes.plot(numbers[published], scores[published], "o", color=COLOURS["guild"], label="published")
    axes.plot(
        numbers[~published],
        scores[~published],
        "o",
        mfc="white",
        color=COLOURS["guild"],
        label="kept back by the gate",
    )
    axes.set_title("The guild, round by round", loc="left", fontweight="bold")
    axes.set_xlabel("round")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower right", frameon=False, fontsize=8.5)


def _tidy(axes: Axes) -> None:
    axes.set_ylim(0, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.grid(visible=True, color="#e3e8eb", linewidth=0.8)
    axes.set_axisbelow(True)
