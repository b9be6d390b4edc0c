"""Load on one hub beside its own client: `python -m benchmarks.hub`, a minute; `--full`: the real numbers.

The hub is a process with SQLite and files, as `zunft hub` starts it, but without pages and without the limit
on strangers, because one address enrols the whole fleet. Each figure stands beside that of a bare FastAPI
endpoint that does no work (`benchmarks.bare_endpoint`), asked by the same client in the same run. Memory is
the resident set of the hub's process, looked at ten times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import shlex
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bare_endpoint import running_endpoint
from benchmarks.hub_cases import Row, Sizes, calling, first_skill, polling, publishing, pushing, round_end
from benchmarks.hub_fleet import AT_A_TIME, Fleet
from zunft.hub_process import HubProcess, run_hub

SMALL = Sizes(held=200, registered=400, pushing=100, seconds=5.0, publications=5)
FULL = Sizes(held=1000, registered=10_000, pushing=500, seconds=30.0, publications=20)
SPARE_FILES = 200
LOOK_SECONDS = 0.1
SETTINGS = {"ZUNFT_STRANGER_RATE_LIMIT": "0", "ZUNFT_CONSOLE": "false"}


@dataclass(frozen=True)
class Part:
    """What a process took in a part of the run: the most resident memory in MB, and CPU seconds."""

    megabytes: float
    cpu: float


@dataclass
class Process:
    """The hub's process, watched from outside."""

    pid: int
    parts: dict[str, Part] = field(default_factory=dict)
    _peak: float = 0.0
    _spent: float = 0.0

    def end(self, name: str) -> None:
        """A part of the run ends here."""
        spent = self._cpu()
        self.parts[name] = Part(round(max(self._now(), self._peak), 1), round(spent - self._spent, 2))
        self._peak, self._spent = 0.0, spent

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look regularly."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(LOOK_SECONDS):
                self._peak = max(self._peak, self._now())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()

    def _now(self) -> float:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize() / 1e6

    def _cpu(self) -> float:
        ticks = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    wanted = parse()
    sizes = sizes_of(wanted)
    notes = raise_file_limit(2 * sizes.held + sizes.pushing + SPARE_FILES)
    os.environ.update(SETTINGS)
    with tempfile.TemporaryDirectory() as folder, run_hub(Path(folder)) as hub, running_endpoint() as bare:
        process = Process(hub.pid)
        with process.watched():
            rows = asyncio.run(measure(hub, bare, process, sizes, notes))
    parts = {name: asdict(part) for name, part in process.parts.items()}
    found = {"rows": [asdict(row) for row in rows], "process": parts, "notes": notes}
    text = (
        json.dumps({"machine": machine(), "sizes": asdict(sizes), **found})
        if wanted.json
        else "\n".join([machine(), "", *table(rows), "", *process_table(process), "", *notes])
    )
    print(text)
    if wanted.output:
        wanted.output.write_text(page(text))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--held", type=int, help="robots held on events, then on long polls")
    parser.add_argument("--registered", type=int, help="enrolled robots that poll in turn")
    parser.add_argument("--pushing", type=int, help="robots that push a delta in one round")
    parser.add_argument("--seconds", type=float, help="how long polling goes on")
    parser.add_argument("--publications", type=int, help="versions published to held robots")
    parser.add_argument("--full", action="store_true", help=f"as the issue has it: {FULL}")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--output", type=Path, help="also write a page, such as benchmarks/results/hub.md")
    return parser.parse_args()


def sizes_of(wanted: argparse.Namespace) -> Sizes:
    """The small or the full sizes, with what was said otherwise."""
    start = asdict(FULL if wanted.full else SMALL)
    said = {each.name: getattr(wanted, each.name) for each in fields(Sizes)}
    sizes = Sizes(**{**start, **{name: value for name, value in said.items() if value is not None}})
    if sizes.registered < max(sizes.held, sizes.pushing):
        raise SystemExit("--registered must be --held and --pushing at least")
    return sizes


def raise_file_limit(needed: int) -> list[str]:
    """Allow this process and the hub as many open files as they may have; says if they are too few."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most != resource.RLIM_INFINITY and most < needed:
        return [f"Only {most} open files are allowed here and {needed} are needed: raise `ulimit -Hn`."]
    return []


async def measure(
    hub: HubProcess, bare_url: str, process: Process, sizes: Sizes, notes: list[str]
) -> list[Row]:
    """All cases, one after the other."""
    process.end("at rest")
    async with Fleet(hub.url, hub.admin_token) as fleet, Fleet(bare_url, "") as bare:
        begun = time.perf_counter()
        await fleet.enrol(sizes.registered)
        rate = sizes.registered / (time.perf_counter() - begun)
        notes.append(f"Enrolment: {rate:.0f} robots/s, {AT_A_TIME} at a time.")
        process.end(f"{sizes.registered:,} robots enrolled")
        base = first_skill()
        await fleet.publish(base)
        rows = [await polling(fleet, bare, sizes)]
        process.end("polling")
        rows.append(await publishing(fleet, bare, base, sizes))
        process.end(f"{sizes.held:,} held on events")
        row, works, campaign_id = await calling(fleet, bare, sizes)
        process.end(f"{len(works):,} held on long polls")
        rows += [row, await pushing(fleet, bare, base, works[: sizes.pushing])]
        process.end(f"{sizes.pushing:,} pushing")
        notes.append(await round_end(fleet, campaign_id))
        process.end("merging and measuring")
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """Figures of the hub, and in brackets how many times those of the bare endpoint they are."""
    titles = ("p50", "p99", "worst", "a second")
    lines = [f"{'':34}" + "".join(f"{title:>18}" for title in titles) + f"{'missing':>9}"]
    for row in rows:
        pairs = [(getattr(row.hub, name), getattr(row.bare, name)) for name in ("p50", "p99", "worst")]
        cells = [f"{hub * 1e3:.0f} ms ({hub / bare:.1f}x)" for hub, bare in pairs]
        cells.append(f"{row.hub.rate:.0f} ({row.hub.rate / row.bare.rate:.2f}x)")
        lines.append(f"{row.name:34}" + "".join(f"{cell:>18}" for cell in cells) + f"{row.missing:>9}")
    return lines


def process_table(process: Process) -> list[str]:
    """What the hub's process took in each part of the run."""
    title = "The hub's process:"
    parts = [f"{name:34}{part.megabytes:8.0f} MB{part.cpu:8.2f} s" for name, part in process.parts.items()]
    return [f"{title:34}{'at most':>11}{'of CPU':>10}", *parts]


def page(text: str) -> str:
    """The results as a page."""
    return f"""# hub

One hub (SQLite, files) under load, beside its client on the same machine; in brackets how many times the
figure of a bare FastAPI endpoint that does no work. A publication is timed from the start of the publisher's
request to each held robot's hearing of it; a push from its start to its acknowledgement, all robots at once;
a poll is a robot's signed question for work, {AT_A_TIME} under way.
Made on {datetime.now(UTC).date()} by
`{shlex.join(["python", "-m", "benchmarks.hub", *sys.argv[1:]])}`.

```
{text}
```
"""


def machine() -> str:
    """Processor, cores and version."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    models = {line.partition(":")[2].strip() for line in lines if line.startswith("model name")}
    name = ", ".join(sorted(models)) or platform.processor()
    return f"{name}, {os.cpu_count()} cores; Python {platform.python_version()}"


if __name__ == "__main__":
    main()
