"""What came of `benchmarks.rollout` in tables, as docs/rollouts.md shows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["ARMS", "BAD", "LOOKS", "RESULT", "looks", "robots_table", "summary"]

RESULT = Path(__file__).parent / "results" / "rollout.json"
LOOKS = Path(__file__).parent / "results" / "rollout_looks.json"
ARMS = ("ur5e", "panda", "iiwa14", "kr10")
BAD = "kr10"
"""On the cells of this one the second version fails."""
HEAD = (
    "embodiment",
    "robots",
    "away at the verdict",
    "ever used it",
    "jobs with it",
    "last back",
    "use it now",
)


def summary(found: dict[str, Any]) -> str:
    """Both runs, in a table and three sentences."""
    first, second = found["failing"], found["aborting"]
    robots, known = first["robots"], first["known"]
    used = [each for each in robots if each["used_2"]]
    there = [each["back_after"] for each in used if not each["away"]]
    jobs = known["done"] + known["failed"]
    began = (
        f"{len(robots)} robots, a version that passes the gate and fails on {BAD}: {first['state']} after "
        f"{first['seconds_to_verdict']:.0f} s and {jobs:.0f} jobs with it."
    )
    ended = (
        f"Of those that were there the last was back {max(there, default=0):.1f} s after the verdict. "
        f"{sum(each['away'] for each in used)} that used it were away, were on {first['back_on']:.0f} s "
        f"after the verdict, and did {sum(each['jobs_2_after_return'] for each in robots)} jobs with it then."
    )
    many = (
        f"{second['robots']} robots that ask every {second['poll_seconds']:.0f} s and look every "
        f"{second['look_seconds']:.0f} s: {second['with_version_2']} had taken a version within "
        f"{second['seconds_to_take']:.0f} s; after it was aborted half of them had left it within "
        f"{second['back_median']:.1f} s, the last one within {second['back_last']:.1f} s."
    )
    lines = [_line(arm, robots) for arm in (*ARMS, "all")]
    table = [_row(HEAD), _row(["---", *["---:"] * (len(HEAD) - 1)]), *map(_row, lines)]
    return "\n\n".join([began, "\n".join(table), ended, many])


def looks(found: dict[str, Any]) -> str:
    """What `benchmarks.rollout_looks` found, in a sentence."""
    idle, busy, deciding = (f"{1000 * found[name]:.0f} ms" for name in ("idle", "busy", "deciding"))
    return (
        f"With {found['robots']:,} robots that report the new version a look of the hub, every 3 s, takes "
        f"{idle} of processor time without news and {busy} with {found['new']} new reports; reading all "
        f"reports, once before the state changes, {deciding} "
        "(`python -m benchmarks.rollout_looks`, in process, SQLite)."
    )


def robots_table(found: dict[str, Any]) -> str:
    """Every robot's outcome."""
    head = (
        "robot",
        "embodiment",
        "away",
        "jobs with v1",
        "jobs with v2",
        "back after",
        "uses",
        "says it uses",
    )
    rows = [
        (
            str(each["robot"]),
            each["embodiment"],
            "yes" if each["away"] else "",
            str(each["jobs_1"]),
            str(each["jobs_2"]) if each["used_2"] else "",
            f"{each['back_after']:.1f} s" if each["back_after"] is not None else "",
            f"v{each['uses']}",
            f"v{each['says']}" if each["says"] else "",
        )
        for each in found["failing"]["robots"]
    ]
    return "\n".join([_row(head), _row(["---"] * len(head)), *map(_row, rows)])


def _line(arm: str, robots: Sequence[dict[str, Any]]) -> list[str]:
    its = [each for each in robots if arm in {each["embodiment"], "all"}]
    took = [each for each in its if each["used_2"]]
    backs = [each["back_after"] for each in took if each["back_after"] is not None and not each["away"]]
    return [
        arm,
        str(len(its)),
        str(sum(each["away"] for each in its)),
        f"{len(took)} ({len(took) / max(1, len(its)):.0%})",
        str(sum(each["jobs_2"] for each in took)),
        f"{max(backs):.1f} s" if backs else "-",
        str(sum(each["uses"] == 2 for each in its)),
    ]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
