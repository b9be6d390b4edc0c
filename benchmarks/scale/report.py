"""docs/scale.md, from what was measured: `tools.make_docs` writes it, and a test compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.scale.costs import Costs, Line
from benchmarks.scale.paper import ASSUMED, HALLS, ROBOTS, SKILLS, WATTS, Case

__all__ = ["AIM", "RESULT", "deviation", "page"]

RESULT = Path(__file__).parents[1] / "results" / "scale.json"
AIM = 0.2
"""The simulation is to be within so much of the real runs."""
JUDGED = ("web", "worker")
"""Figures that are held to that: processor time."""
WIDEST = (100, 1_000, 10_000)
"""Robots of the real runs that were asked for."""
REMEDIES = {
    "training": ("robots' training", "nothing: the hub waits for robots"),
    "web": (
        "the hub's process, which answers robots",
        (
            "more processes on PostgreSQL, then hubs behind a proxy; large files past the hub "
            "(`ZUNFT_S3_DIRECT_URL`); or halls"
        ),
    ),
    "looks": (
        "the engine's look at the open round, which reads all its robots each time",
        "halls; within one hall, looks that count instead of reading",
    ),
    "line": (
        "the hub's line",
        (
            "files straight from an object store (`ZUNFT_S3_DIRECT_URL`), low-rank deltas "
            "([large.md](large.md)); or halls"
        ),
    ),
    "merge": ("the merge", "a GPU or Ray's cluster (`ZUNFT_MERGE_DEVICE`), low-rank deltas; or halls"),
    "gate": ("the gate", "more workers by Ray (`ZUNFT_JOBS`); fewer episodes; a GPU for large networks"),
}
INTRO = """\
How far one hub goes, what is in its way then, and what to add. Measured on {machine} on {date}, load
average {load:.1f} before: real robots over HTTP with signed requests on one hub (one process, SQLite, files);
then a discrete-event simulation (simpy) with what each thing took there. Processor time is measured, not the
clock on the wall: `make scale` does it anew, some eight minutes on two quiet cores."""
PAPER = """\
On paper: each robot trains {train:.0f} s on one core and sends a delta of half the skill's bytes; the gate
plays {episodes} episodes; every hub has one process, one worker and a line of {line:.0f} Gbit/s. Halls hand
one delta up to a larger one ([halls.md](halls.md)). The time is that of a merged version, from order to
publication; the word is what took most of it."""
ORIGIN = "<!-- Made by `python -m tools.make_docs` from benchmarks/results/scale.json, by `make scale`. -->"
TOO_LARGE = """\
6 GB is on paper only: a hub takes no file above 2 GiB (`ZUNFT_SKILL_LIMIT`), what it costs is drawn on from
files of 60 kB and 5 MB a thousand times as far, and no robot trains such a network in a minute."""
ENERGY = """\
Energy is estimated: {watts} W a busy core ([costs.md](costs.md)). Robots' part is the assumed minute of
training each; a hall's gate is in it once for each hall."""
LIMITS = """\
What this leaves out: disks, memory, the database's own limits, lines between halls other than the hubs' own,
robots that fail or come late, the console, webhooks. All halls are taken to be alike."""
CLOCK = """\
The clock's figures are for a machine with two cores and nothing else to do; elsewhere they say how busy it
was, and are not judged."""


def page() -> str:
    """The whole page."""
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    if not found.get("cases"):
        return "# Scale, measured and on paper\n\nNot measured yet: `make scale`.\n"
    costs, all_cases = Costs.of(found["costs"]), [Case.of(each) for each in found["cases"]]
    assumed = {"train": ASSUMED.train_seconds, "episodes": ASSUMED.episodes, "line": 8 * ASSUMED.link / 1e9}
    parts = [
        "# Scale, measured and on paper",
        ORIGIN,
        INTRO.format(**{name: found[name] for name in ("machine", "date", "load")}),
        "## What each thing takes",
        _costs(costs),
        "## The simulation against real runs",
        _runs(found["runs"]),
        "## What is in the way, and what to add then",
        PAPER.format(**assumed),
        *(_grid(skill, all_cases) for skill in SKILLS),
        TOO_LARGE,
        _decades(all_cases),
        "## What a merged version costs",
        ENERGY.format(watts=WATTS),
        *(_prices(skill, all_cases) for skill in SKILLS),
        LIMITS,
    ]
    return "\n\n".join(parts) + "\n"


def deviation(run: dict[str, Any], name: str) -> float:
    """By how much the simulation is over what was measured."""
    real = float(run["measured"][name])
    return float(run["simulated"][name]) / real - 1 if real else 0.0


def _costs(costs: Costs) -> str:
    def line(of: Line, per: str, scale: float) -> str:
        return f"{1000 * of.fixed:.3g} ms + {1000 * of.each * scale:.3g} ms {per}"

    rows = [
        ("a robot enrols", f"{1000 * costs.enrol:.2g} ms"),
        ("a poll, nothing to do", f"{1000 * costs.poll:.2g} ms"),
        ("a request alone, besides", f"{1000 * costs.commit:.2g} ms"),
        ("a held question, answered", f"{1000 * costs.hold:.2g} ms"),
        ("a base is fetched", line(costs.fetch, "a MB", 1e6)),
        ("a delta is taken in", line(costs.push, "a MB", 1e6)),
        ("a look at an open round", line(costs.look, "for 1,000 robots", 1e3)),
        ("a round besides", f"{1000 * costs.round:.3g} ms"),
        ("a second at rest", f"{1000 * costs.idle:.2g} ms"),
        ("worker: a delta is merged", line(costs.merge, "a MB", 1e6)),
        ("worker: a gate begins", f"{1000 * costs.gate_start:.3g} ms"),
        ("worker: an episode", line(costs.episode, "a MB of the skill", 1e6)),
    ]
    return _table(("what", "processor time of the hub"), rows)


def _runs(runs: Sequence[dict[str, Any]]) -> str:
    rows, met, sizes = [], [], set()
    for run in runs:
        plan = run["measured"]["plan"]
        sizes.add(plan["robots"])
        met += [abs(deviation(run, name)) <= AIM for name in JUDGED]
        figures = [_against(run, name) for name in (*JUDGED, "seconds")]
        rows.append([f"{plan['robots']:,}", str(plan["rounds"]), f"{run['measured']['load']:.1f}", *figures])
        rows[-1].append(str(run["measured"]["broken"]))
    head = (
        "robots",
        "rounds",
        "load",
        "hub's processor",
        "worker's processor",
        "clock",
        "connections broken",
    )
    missing = [f"{size:,}" for size in WIDEST if size not in sizes]
    still = f" Not run here yet: {', '.join(missing)} robots." if missing else ""
    verdict = (
        f"Each is real / simulated. Of {len(met)} figures of processor time {sum(met)} are within {AIM:.0%}."
    )
    return f"{_table(head, rows)}\n\n{verdict}{still} {CLOCK}"


def _against(run: dict[str, Any], name: str) -> str:
    off = deviation(run, name)
    verdict = f", {'met' if abs(off) <= AIM else 'missed'}" if name in JUDGED else ""
    return f"{run['measured'][name]:.1f} s / {run['simulated'][name]:.1f} s ({off:+.0%}{verdict})"


def _grid(skill: str, all_cases: Sequence[Case]) -> str:
    found = {(each.robots, each.halls): each for each in all_cases if each.skill == skill}
    rows = []
    for robots in ROBOTS:
        cells = [f"{robots:,}"]
        for halls in HALLS:
            case = found.get((robots, halls))
            cells.append(f"{_time(case.above.seconds)}, {case.bottleneck}" if case else "-")
        rows.append(cells)
    head = ("robots", *(f"{halls:,} hall{'s' * (halls > 1)}" for halls in HALLS))
    return f"A skill of {skill}:\n\n" + _table(head, rows)


def _decades(all_cases: Sequence[Case]) -> str:
    one = {(each.robots, each.skill): each for each in all_cases if each.halls == 1}
    rows = []
    for robots in ROBOTS:
        for skill in SKILLS:
            case = one[robots, skill]
            what, remedy = REMEDIES[case.bottleneck]
            rows.append((f"{robots:,}", skill, f"{what} ({_time(case.spent[case.bottleneck])})", remedy))
    return "On one hall, decade by decade:\n\n" + _table(("robots", "skill", "in the way", "add then"), rows)


def _prices(skill: str, all_cases: Sequence[Case]) -> str:
    rows = [
        (
            f"{each.robots:,}",
            f"{each.halls:,}",
            _size(each.bytes),
            f"{each.hub_core_hours:.3g}",
            f"{each.robot_core_hours:.3g}",
            f"{each.kwh:.3g}",
        )
        for each in all_cases
        if each.skill == skill
    ]
    head = ("robots", "halls", "bytes, in and out", "core-hours of hubs", "of robots", "kWh")
    return f"A skill of {skill}:\n\n" + _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _time(seconds: float) -> str:
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(amount: float) -> str:
    for unit, size in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9)):
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount / 1e6:.3g} MB"
