"""`python -m tests.chaos`: break a guild of real processes on purpose, and count what it lost.

python -m tests.chaos --faults 26
python -m tests.chaos --faults 390 --rounds 50 --write     # `make chaos`, about a quarter of an hour
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.chaos.faults import FAULTS
from tests.chaos.run import Plan, Result, run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"
BEGIN, END = "<!-- chaos -->", "<!-- /chaos -->"


def main() -> int:
    """Run, print, and say by the exit status whether anything was lost."""
    wanted = _parse()
    plan = Plan(wanted.faults, wanted.hubs, wanted.robots, wanted.rounds, wanted.seed)
    columns = (MofNCompleteColumn(), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, disable=wanted.json) as bar:
        task = bar.add_task("starting", total=plan.faults)

        def tell(fault: str) -> None:
            bar.update(task, description=fault, advance=1)

        result = run(plan, tell, wanted.folder)
    if wanted.json:
        print(json.dumps(asdict(result)))
    else:
        print(table(result))
    if wanted.write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{table(result)}\n{END}{rest.split(END)[1]}")
    return 1 if result.verdict.wrong else 0


def table(result: Result) -> str:
    """Faults by kind, and the verdict, in Markdown."""
    plan, verdict = result.plan, result.verdict
    rounds = ", ".join(f"{count} {state}" for state, count in sorted(verdict.rounds.items()))
    campaigns = ", ".join(f"{count} {state}" for state, count in sorted(verdict.campaigns.items()))
    head = (
        f"{datetime.now(UTC).date()}: {plan.hubs} hubs, {plan.robots} robots, PostgreSQL, S3; "
        f"seed {plan.seed}, {result.seconds:.0f} s."
    )
    came = (
        f"Rounds: {rounds}. Campaigns: {campaigns}. Deltas: {verdict.acknowledged}, acknowledged "
        f"{verdict.receipts} times. Merged again to the same digest: {verdict.merged_again} versions."
    )
    lines = [
        head,
        "",
        "| fault | what happens | times |",
        "|---|---|---|",
        *(f"| {name} | {FAULTS[name].says} | {count} |" for name, count in sorted(result.injected.items())),
        f"| **all** | | **{sum(result.injected.values())}** |",
        "",
        came,
        "",
        f"**Lost, counted twice or half done: {len(verdict.wrong)}.**",
        *(f"- {each}" for each in verdict.wrong),
    ]
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=2 * len(FAULTS), help="how many to inject")
    parser.add_argument("--hubs", type=int, default=2)
    parser.add_argument("--robots", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=20, help="of each campaign")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep everything in this empty folder, logs too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="the table into docs/operations.md")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
