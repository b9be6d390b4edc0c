"""How far a hub goes: `python -m benchmarks.scale`, or `make scale`, some eight minutes on two quiet cores.

Real runs of 100, 1,000 and 10,000 robots, then the simulation, into benchmarks/results/scale.json, from which
`tools.make_docs` makes docs/scale.md. A real run is kept when it is done: what was broken off goes on with
`--resume`, with the costs that were measured before. `--only-paper` simulates anew from those.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from benchmarks.hub import SETTINGS, machine, raise_file_limit
from benchmarks.hub_fleet import Fleet
from benchmarks.scale.costs import Costs
from benchmarks.scale.paper import cases, work_out
from benchmarks.scale.real import Sizes, calibrate, prepare, real_run
from benchmarks.scale.report import AIM, RESULT, deviation
from benchmarks.scale.simulation import Plan, simulate
from zunft.hub_process import run_hub

SEED = 0
SCREEN = Console(stderr=True)


def main() -> None:
    """Measure, simulate, keep, and say how far apart both are."""
    wanted = _parse()
    found: dict[str, Any] = json.loads(wanted.output.read_text()) if wanted.output.exists() else {}
    if not wanted.only_paper:
        rounds = {each: _rounds(each) for each in sorted(wanted.robots)}
        sizes = Sizes(wanted.calibrate, wanted.seconds, rounds)
        os.environ.update(SETTINGS)
        for note in raise_file_limit(max(wanted.robots) + 500):
            SCREEN.print(note)
        found = asyncio.run(_real(sizes, found if wanted.resume else {}, wanted.output))
    costs = Costs.of(found["costs"])
    for run in found["runs"]:
        run["simulated"] = _simulated(run["measured"]["plan"], costs)
    on_paper = track(cases(), "on paper", console=SCREEN)
    found["cases"] = [work_out(*each, costs, SEED).as_dict() for each in on_paper]
    _keep(wanted.output, found)
    for run in found["runs"]:
        said = ", ".join(f"{name} {deviation(run, name):+.0%}" for name in ("web", "worker", "seconds"))
        robots = run["measured"]["plan"]["robots"]
        SCREEN.print(f"{robots:,} robots, simulated over real: {said} (aim {AIM:.0%})")


async def _real(sizes: Sizes, found: dict[str, Any], file: Path) -> dict[str, Any]:
    """All real runs on one hub; each is kept as soon as it is done."""
    with tempfile.TemporaryDirectory() as folder, run_hub(Path(folder) / "hub") as hub:
        async with Fleet(hub.url, hub.admin_token) as fleet:
            if found:
                await prepare(fleet)
            else:
                load, costs = os.getloadavg()[0], await calibrate(fleet, hub, sizes, SCREEN.print)
                now = datetime.now(UTC).date()
                found = {"machine": machine(), "date": str(now), "load": load, "costs": costs.as_dict()}
                found |= {"runs": [], "cases": []}
            done = {run["measured"]["plan"]["robots"] for run in found["runs"]}
            for many, rounds in sizes.rounds.items():
                if many not in done:
                    run = await real_run(fleet, hub, many, rounds, SCREEN.print)
                    found["runs"].append({"measured": run.as_dict()})
                    _keep(file, found)
    return found


def _simulated(plan: dict[str, Any], costs: Costs) -> dict[str, float]:
    """What the simulation says of a real run."""
    paper = simulate(Plan(**plan), costs, SEED)
    return {"web": paper.web, "worker": paper.merging + paper.gating, "seconds": paper.seconds}


def _keep(file: Path, found: dict[str, Any]) -> None:
    file.write_text(json.dumps(found, indent=1) + "\n")


def _rounds(robots: int) -> int:
    """So many that there is enough to measure."""
    return max(1, min(5, 1_500 // robots))


def _parse() -> argparse.Namespace:
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--robots", type=int, nargs="+", default=[100, 1_000, 10_000], help="of real runs")
    parser.add_argument("--calibrate", type=int, default=200, help="robots by which costs are measured")
    parser.add_argument("--seconds", type=float, default=8.0, help="of polling, and of rest")
    parser.add_argument("--resume", action="store_true", help="keep costs and runs that are there")
    parser.add_argument("--only-paper", action="store_true", help="simulate anew from known costs")
    parser.add_argument("--output", type=Path, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
