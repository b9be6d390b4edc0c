"""The console's charts: catalogue models in, ECharts option dictionaries out.

Colours are middle tones that stand 3:1 against the light and the dark ground; text takes its colour
from `theme.css`, because charts are drawn as SVG. Every number shown here also stands in a table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from hub.console.language import _
from hub.console.words import percent, score_in_words, short_digest, state_in_words
from skills.messages.campaigns import CampaignView
from skills.messages.causes import Cause
from skills.messages.rounds import RoundView
from skills.messages.skills import ScoreView, VersionView

__all__ = [
    "Options",
    "campaign_chart",
    "cause_chart",
    "embodiment_chart",
    "lineage_chart",
    "success_chart",
]

Options = dict[str, Any]

ACCENT = "#1f8f8a"
EMBER = "#d0672c"
NEUTRAL = "#87909a"
BAND = "rgba(31, 143, 138, 0.20)"
RULE = "rgba(135, 144, 154, 0.28)"
GROUND = "var(--surface)"

NEWEST = 60
"""Versions in one chart; older ones stay in the table."""


def success_chart(versions: Sequence[VersionView]) -> Options:
    """Success against version with its 95 % interval as a band; versions in any order.

    The line joins what was published, the large dot is stable; a ring is what the gate refused.
    """
    shown = sorted(versions, key=lambda version: version.version)[-NEWEST:]
    kept = [version if _passed(version) else None for version in shown]
    return _figure() | {
        "xAxis": _category_axis([f"v{version.version}" for version in shown]),
        "yAxis": _success_axis(),
        "series": [
            *_band([version.score if version else None for version in kept]),
            _line("published", [_version_point(version) for version in kept]),
            _rings([None if version in kept else _version_point(version) for version in shown]),
        ],
    }


def embodiment_chart(scores: Mapping[str, ScoreView]) -> Options:
    """A dot and its interval for each arm, best at the top."""
    ranked = sorted(scores.items(), key=lambda item: (item[1].score, item[0]))
    bar = {"type": "bar", "stack": "interval", "barWidth": 6, "silent": True}
    return _figure() | {
        "grid": {"left": 8, "right": 24, "top": 8, "bottom": 8, "containLabel": True},
        "xAxis": _success_axis(),
        "yAxis": _category_axis([name for name, _ in ranked]),
        "series": [
            bar | {"itemStyle": {"color": "transparent"}, "data": [_hundred(s.low) for _, s in ranked]},
            bar
            | {
                "itemStyle": {"color": ACCENT, "opacity": 0.45, "borderRadius": 3},
                "data": [_hundred(s.high - s.low) for _, s in ranked],
            },
            {
                "type": "scatter",
                "symbolSize": 12,
                "itemStyle": {"color": ACCENT, "opacity": 1},
                "data": [_point([_hundred(s.score), name], name, score_in_words(s)) for name, s in ranked],
            },
        ],
    }


def cause_chart(cause: Cause) -> Options:
    """Success over a hidden figure: a dot and its interval for each part, from the least to the greatest."""
    bar = {"type": "bar", "stack": "interval", "barWidth": 6, "silent": True}
    band = {"color": ACCENT, "opacity": 0.45, "borderRadius": 3}
    unit = "" if cause.unit in {"", "1"} else f" ({cause.unit})"
    said = [
        _(
            "{success}, {low} to {high}, {episodes} episodes",
            success=percent(part.success),
            low=percent(part.low),
            high=percent(part.high),
            episodes=part.episodes,
        )
        for part in cause.parts
    ]
    return _figure() | {
        "grid": {"left": 8, "right": 24, "top": 16, "bottom": 24, "containLabel": True},
        "xAxis": _category_axis([part.where for part in cause.parts])
        | {
            "name": f"{cause.figure}{unit}",
            "nameLocation": "middle",
            "nameGap": 28,
            "nameTextStyle": {"color": NEUTRAL},
        },
        "yAxis": _success_axis(),
        "series": [
            bar
            | {"itemStyle": {"color": "transparent"}, "data": [_hundred(part.low) for part in cause.parts]},
            bar | {"itemStyle": band, "data": [_hundred(part.high - part.low) for part in cause.parts]},
            {
                "type": "scatter",
                "symbolSize": 10,
                "itemStyle": {"color": ACCENT, "opacity": 1},
                "data": [
                    _point([part.where, _hundred(part.success)], part.where, words)
                    for part, words in zip(cause.parts, said, strict=True)
                ],
            },
        ],
    }


def lineage_chart(versions: Sequence[VersionView]) -> Options:
    """Who came from whom: versions from left to right, those on the way to stable on the upper lane."""
    shown = sorted(versions, key=lambda version: version.version)[-NEWEST:]
    known = {version.digest: version for version in shown}
    trunk = _ancestors_of_stable(known)
    links = [
        {"source": f"v{known[parent].version}", "target": f"v{version.version}"}
        for version in shown
        for parent in version.parents
        if parent in known
    ]
    hidden = {"show": False, "type": "value"}
    return _figure() | {
        "grid": {"left": 24, "right": 24, "top": 16, "bottom": 16},
        "xAxis": hidden | {"min": 0, "max": max(len(shown) - 1, 1)},
        "yAxis": hidden | {"min": 0, "max": 1},
        "series": [
            {
                "type": "graph",
                "coordinateSystem": "cartesian2d",
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 6,
                "lineStyle": {"color": NEUTRAL, "opacity": 0.8, "curveness": 0},
                "label": {"show": True, "position": "top", "fontSize": 12},
                "data": [_node(i, version, version.digest in trunk) for i, version in enumerate(shown)],
                "links": links,
            }
        ],
    }


def campaign_chart(campaign: CampaignView) -> Options:
    """The learning curve: each round's candidate with its interval, and the stable version before it."""
    total = max(campaign.order.rounds_in_all, len(campaign.rounds))
    gates: list[RoundView | None] = [None] * total
    for entry in campaign.rounds:
        if entry.gate is not None and entry.number <= total:
            gates[entry.number - 1] = entry
    candidates = [entry.gate.candidate if entry and entry.gate else None for entry in gates]
    current = [
        _hundred(entry.gate.current.score) if entry and entry.gate and entry.gate.current else None
        for entry in gates
    ]
    return _figure() | {
        "legend": {"data": [_("candidate"), _("stable before")], "right": 8, "top": 0, "itemGap": 24},
        "grid": {"left": 8, "right": 16, "top": 32, "bottom": 8, "containLabel": True},
        "xAxis": _category_axis([str(number) for number in range(1, total + 1)]),
        "yAxis": _success_axis(),
        "series": [
            *_band(candidates),
            _line(_("candidate"), [_round_point(entry) for entry in gates]),
            _line(_("stable before"), current)
            | {
                "color": EMBER,
                "lineStyle": {"type": "dashed", "width": 1.5},
                "showSymbol": False,
                "silent": True,
            },
        ],
    }


def _figure() -> Options:
    return {
        "animation": False,
        "textStyle": {"fontFamily": "inherit"},
        "tooltip": {"trigger": "item", "className": "chart-tip", "confine": True},
        "grid": {"left": 8, "right": 16, "top": 16, "bottom": 8, "containLabel": True},
    }


def _success_axis() -> Options:
    return {
        "type": "value",
        "min": 0,
        "max": 100,
        "interval": 25,
        "axisLabel": {"formatter": "{value} %"},
        "splitLine": {"lineStyle": {"color": RULE}},
    }


def _category_axis(names: list[str]) -> Options:
    return {
        "type": "category",
        "data": names,
        "axisTick": {"show": False},
        "axisLine": {"lineStyle": {"color": RULE}},
    }


def _line(name: str, points: Sequence[Any]) -> Options:
    return {
        "name": name,
        "type": "line",
        "data": list(points),
        "color": ACCENT,
        "lineStyle": {"width": 2},
        "symbol": "circle",
        "symbolSize": 8,
        "connectNulls": True,
        "z": 3,
    }


def _band(scores: Sequence[ScoreView | None]) -> list[Options]:
    """Two stacked areas: an invisible one up to the lower bound, a tinted one from there to the upper."""
    lows = _bridged([score.low if score else None for score in scores])
    highs = _bridged([score.high if score else None for score in scores])
    area = {"type": "line", "stack": "interval", "symbol": "none", "silent": True, "connectNulls": True}
    line = area | {"lineStyle": {"opacity": 0}}
    heights = [_difference(high, low) for high, low in zip(highs, lows, strict=True)]
    return [
        line | {"name": "low", "data": [_hundred(low) for low in lows]},
        line
        | {"name": "interval", "areaStyle": {"color": BAND}, "data": [_hundred(each) for each in heights]},
    ]


def _difference(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else high - low


def _bridged(shares: Sequence[float | None]) -> list[float | None]:
    """Fill gaps between known numbers in a straight line: a stacked area would fall to zero there."""
    known = [place for place, share in enumerate(shares) if share is not None]
    if not known:
        return list(shares)
    filled = np.interp(range(len(shares)), known, [share for share in shares if share is not None])
    return [float(filled[place]) if known[0] <= place <= known[-1] else None for place in range(len(shares))]


def _rings(points: Sequence[Any]) -> Options:
    """Measured, but not let through the gate."""
    shape = {"type": "scatter", "symbolSize": 9, "itemStyle": _ring(), "z": 4}
    return shape | {"name": "rejected", "data": list(points)}


def _version_point(version: VersionView | None) -> Options | None:
    if version is None:
        return None
    score = version.score
    point = _point(_hundred(score.score if score else None), f"v{version.version}", score_in_words(score))
    if "stable" in version.channels:
        return point | {"symbolSize": 13, "label": _value_label(score)}
    return point


def _round_point(entry: RoundView | None) -> Options | None:
    if entry is None or entry.gate is None:
        return None
    said = f"{state_in_words(entry.state)}, {score_in_words(entry.gate.candidate)}"
    point = _point(_hundred(entry.gate.candidate.score), _("round {number}", number=entry.number), said)
    return point | ({} if entry.gate.passed else {"itemStyle": _ring()})


def _point(value: Any, name: str, said: str) -> Options:
    return {
        "value": value,
        "name": name,
        "tooltip": {"formatter": f"<b>{escape(name)}</b><br>{escape(said)}"},
    }


def _value_label(score: ScoreView | None) -> Options:
    return {"show": score is not None, "formatter": percent(score.score) if score else "", "position": "top"}


def _node(place: int, version: VersionView, on_trunk: bool) -> Options:
    name = f"v{version.version}"
    said = f"{version.origin}, {score_in_words(version.score)}, {short_digest(version.digest)}"
    point = _point([place, 0.62 if on_trunk else 0.18], name, said)
    stable = "stable" in version.channels
    style = {"color": ACCENT} if on_trunk else _ring()
    label = {"position": "top" if on_trunk else "bottom"}
    return point | {"symbolSize": 16 if stable else 10, "itemStyle": style, "label": label}


def _ring() -> Options:
    return {"color": GROUND, "borderColor": NEUTRAL, "borderWidth": 2}


def _passed(version: VersionView) -> bool:
    return version.gate is None or version.gate.passed


def _ancestors_of_stable(known: Mapping[str, VersionView]) -> set[str]:
    waiting = [digest for digest, version in known.items() if "stable" in version.channels]
    found: set[str] = set()
    while waiting:
        digest = waiting.pop()
        if digest in known and digest not in found:
            found.add(digest)
            waiting += known[digest].parents
    return found


def _hundred(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 2)
