"""Draw one episode over time: when each condition held, quantities with their bounds, reward and actions.

What is drawn is made by `envs.trace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")  # draws to files also where there is no screen

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.trace import ConditionTrace, Series, Trace

__all__ = ["draw_trace"]

WIDTH, PANEL, LINE = 9.0, 1.5, 0.28  # of the picture, of one diagram and of one condition, inches
MARGIN = 0.08  # above and below a line, of its range
NAMES = 6  # of actions side by side
INK, GOOD, BAD, PALE = "#33424d", "#3f8f5f", "#c8502a", "#e9edf0"
ACTIONS = ("#7d94a5", "#c8502a", "#3f8f5f", "#8a6bb1", "#c79a2b", "#33424d", "#b0577f", "#4f9fb0")


def draw_trace(trace: Trace, title: str, path: Path) -> None:
    """Write a picture with one diagram below the other on one axis of time."""
    count = len(trace.quantities) + 2
    heights = [LINE * (len(trace.conditions) + 1), *[PANEL] * count]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.0), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(count + 1, 1, sharex=True, height_ratios=heights)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    times = np.array(trace.times)
    _draw_spans(panels[0], trace)
    for axes, (name, series) in zip(panels[1:], trace.quantities.items(), strict=False):
        values = _line(series.values)
        axes.plot(times, values, color=INK, linewidth=1.4)
        far = _draw_bounds(axes, [each for each in trace.conditions if each.of == name], values)
        axes.set_title(_title(name, series), loc="left", fontsize=9)
        axes.set_title(", ".join(f"{each} is beyond" for each in far), loc="right", fontsize=8, color=BAD)
    _draw_rest(panels[-2], panels[-1], trace, times)
    figure.legend(*panels[-1].get_legend_handles_labels(), loc="outside lower right", ncols=NAMES, fontsize=8)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        if trace.counted_from:
            axes.axvspan(0, trace.counted_from, color=PALE, zorder=-2, linewidth=0)
    panels[-1].set_xlabel("s" + (" (grey: does not count)" if trace.counted_from else ""), fontsize=8)
    panels[-1].set_xlim(0, times[-1])
    figure.savefig(path, dpi=110)


def _draw_spans(axes: Axes, trace: Trace) -> None:
    """A line for each condition, filled while it holds."""
    count = len(trace.conditions)
    for row, each in enumerate(trace.conditions):
        bars = [(begin, max(end - begin, trace.times[0])) for begin, end in each.held]
        axes.broken_barh(bars, (row - 0.32, 0.64), color=BAD if each.role == "failure" else GOOD)
    axes.set_yticks(range(count), [_label(each) for each in trace.conditions])
    for label, each in zip(axes.get_yticklabels(), trace.conditions, strict=True):
        label.set_color(BAD if each.decided else INK)
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_title("holds; what decided against success is red", loc="left", fontsize=9)


def _label(each: ConditionTrace) -> str:
    role = {"steps": "", "end": " at the end", "failure": " (failure)"}[each.role]
    return each.words.replace("`", "") + role


def _title(name: str, series: Series) -> str:
    length = "length of " if series.components > 1 else ""
    return f"{length}{name}" if series.unit == "1" else f"{length}{name}, {series.unit}"


def _draw_bounds(axes: Axes, conditions: Sequence[ConditionTrace], values: NDArray[np.float64]) -> list[str]:
    """Bounds as lines, and pale where a condition holds; which failures are too far away to be drawn."""
    known = values[np.isfinite(values)].tolist()
    known += [bound for each in conditions if each.role != "failure" for bound in _bounds(each)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    reach = (high - low) or np.inf
    near = [each for each in conditions if all(low - reach <= b <= high + reach for b in _bounds(each))]
    known += [bound for each in near for bound in _bounds(each)]
    margin = MARGIN * (max(known, default=0.0) - min(known, default=0.0)) or 1.0
    low, high = min(known, default=0.0) - margin, max(known, default=0.0) + margin
    axes.set_ylim(low, high)
    for each in near:
        colour = BAD if each.role == "failure" else GOOD
        for bound in _bounds(each):
            axes.axhline(bound, color=colour, linewidth=1, linestyle="--")
        bottom, top = low if each.low is None else each.low, high if each.high is None else each.high
        axes.axhspan(bottom, top, color=colour, alpha=0.1, zorder=-1, linewidth=0)
    return [_label(each) for each in conditions if each not in near]


def _bounds(each: ConditionTrace) -> list[float]:
    return [bound for bound in (each.low, each.high) if bound is not None]


def _draw_rest(reward: Axes, actions: Axes, trace: Trace, times: NDArray[np.float64]) -> None:
    earned = _line(trace.reward)
    reward.plot(times, earned, color=INK, linewidth=1.4)
    reward.set_title(f"reward of a step; {np.nansum(earned):.1f} in all", loc="left", fontsize=9)
    for number, (name, values) in enumerate(trace.actions.items()):
        colour = ACTIONS[number % len(ACTIONS)]
        actions.plot(times, _line(values), color=colour, linewidth=1.2, label=name)
    actions.set_ylim(-1.1, 1.1)
    actions.set_title("actions, shares of their scales", loc="left", fontsize=9)


def _line(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)
