"""One exchange of a large skill: `python -m benchmarks.transfer`, a minute; --full: a gigabyte, some minutes.

A hub on SQLite and files; a skill is published, robots pull it, each pushes a delta of it, the hub merges and
publishes, the robots pull again. Hub and robots are processes of this machine, over real HTTP; nobody trains,
and the hub's gate takes what comes. With Flower installed, one of its rounds with as many clients is measured
beside it (`flwr.server.start_server` and `flwr.client.start_client`, FedAvg, float32), with the same weights
or with as many as fit into this machine's memory.

Memory is the peak of a process while it was watched, fifty times a second: `private`, which it needs, and
`resident`, which also counts pages of mapped files that the system keeps for it as long as there is room.
"""

from __future__ import annotations

import argparse
import os
import platform
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import httpx
from rich.console import Console

from benchmarks.transfer_ends import NAME, make_skill
from fleet.client import OperatorClient
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import TrainingPlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill

MEGABYTE = 10**6
START_SECONDS = 120
SAMPLE_SECONDS = 0.02
FLOWERS_SERVER, FLOWERS_CLIENT = 40, 12  # models of memory, with something to spare
progress = Console(stderr=True)


@dataclass
class Watch:
    """Peak memory of a process in bytes, from when it is entered until it is left."""

    pid: int
    private: int = 0
    resident: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until stopped."""
        while not self._stop.wait(SAMPLE_SECONDS):
            self.look()

    def look(self) -> None:
        """Once."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return
        sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.endswith("kB")}
        self.private = max(self.private, sizes.get("RssAnon", 0) + sizes.get("RssShmem", 0))
        self.resident = max(self.resident, sizes.get("VmRSS", 0))


@contextmanager
def watching(*pids: int) -> Iterator[list[Watch]]:
    """Watch processes for the block."""
    watches = [Watch(pid) for pid in pids]
    threads = [threading.Thread(target=watch.run, daemon=True) for watch in watches]
    for thread in threads:
        thread.start()
    yield watches
    for watch, thread in zip(watches, threads, strict=True):
        watch.look()
        watch._stop.set()  # noqa: SLF001 - our own
        thread.join()


@dataclass(frozen=True)
class Row:
    """One step: bytes that all moved, seconds until the last was done, the hub's peaks in it."""

    step: str
    bytes: int
    seconds: float
    private: int
    resident: int


def main() -> None:
    """Measure and print."""
    wanted = parse()
    with tempfile.TemporaryDirectory(dir=wanted.folder, prefix="zunft-transfer-") as name:
        folder = Path(name)
        skill = folder / "base.skill"
        make_skill(skill, wanted.megabytes * MEGABYTE // 4)
        text = "\n".join(
            [*describe(wanted, skill), "", *exchange(folder, skill, wanted), "", *beside(wanted)]
        )
    print(text)
    if wanted.output:
        wanted.output.write_text(page(text))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=100, help="of the skill, at most 2000")
    parser.add_argument("--full", action="store_true", help="a skill of 1000 MB")
    parser.add_argument("--robots", type=int, default=6)
    parser.add_argument("--codec", default="fp16", help="of the deltas")
    parser.add_argument("--folder", type=Path, help="where there is room for some 20 skills")
    parser.add_argument("--no-flower", action="store_true", help="do not measure Flower")
    parser.add_argument("--output", type=Path, help="also write a page here")
    wanted = parser.parse_args()
    if wanted.full:
        wanted.megabytes = 1000
    return wanted


def describe(wanted: argparse.Namespace, skill: Path) -> list[str]:
    """What and where."""
    loaded = Skill.load(skill)
    weights = sum(tensor.size for tensor in loaded.tensors.values())
    return [
        f"Skill: {loaded.size / MEGABYTE:.0f} MB, {weights / 1e6:.1f} million weights.",
        f"Robots: {wanted.robots}. Codec of their deltas: {wanted.codec}.",
        f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.",
    ]


def exchange(folder: Path, skill: Path, wanted: argparse.Namespace) -> list[str]:
    """Run the exchange; its table."""
    with ExitStack() as stack:
        hub, url, token = stack.enter_context(start_hub(folder / "hub"))
        operator = OperatorClient.open(url, token)
        time.sleep(1)
        rows = [step("nothing", hub, lambda: 0)]
        rows += [step("publish, one researcher", hub, lambda: publish(operator, skill))]
        robots = [
            stack.enter_context(start_robot(folder / f"robot-{number}", url, each.token))
            for number, each in enumerate(operator.create_tokens(EnrolmentTokenRequest(count=wanted.robots)))
        ]
        operator.start_campaign(
            CampaignRequest(
                skill=NAME,
                rounds=1,
                quorum=wanted.robots,
                target=wanted.robots,
                training=TrainingPlan(codec=wanted.codec, clip_norm=1e6),
            )
        )
        tell(robots, "ask")
        with watching(*(robot.pid for robot in robots)) as own:
            rows += [
                step(f"pull, {len(robots)} robots", hub, lambda: tell(robots, "pull")),
                step("make deltas (robots only)", hub, lambda: tell(robots, "make")),
                step(f"push, {len(robots)} robots", hub, lambda: tell(robots, "push")),
                step("merge, publish, pull again", hub, lambda: tell(robots, "refresh")),
            ]
    return table(rows, own, skill.stat().st_size)


def step(name: str, hub: int, work: Any) -> Row:
    """Time one step."""
    progress.print(name)
    with watching(hub) as (watch,):
        started = time.monotonic()
        moved = work()
        seconds = time.monotonic() - started
    return Row(name, moved, seconds, watch.private, watch.resident)


def publish(operator: OperatorClient, skill: Path) -> int:
    """Into the catalogue."""
    return operator.publish_skill(Skill.load(skill)).size


def tell(robots: Sequence[subprocess.Popen[str]], word: str) -> int:
    """Have all robots do something at once; bytes in all."""
    for robot in robots:
        pipe_of(robot.stdin).write(word + "\n")
        pipe_of(robot.stdin).flush()
    answers = [pipe_of(robot.stdout).readline() for robot in robots]
    return sum(int(answer) for answer in answers)


def pipe_of(pipe: IO[str] | None) -> IO[str]:
    """A pipe that is there."""
    if pipe is None:
        raise RuntimeError("no pipe")
    return pipe


@contextmanager
def start_hub(folder: Path) -> Iterator[tuple[int, str, str]]:
    """A hub's process id, address and admin token."""
    token = "zt_" + secrets.token_urlsafe(32)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "ZUNFT_DATA_DIR": str(folder),
        "ZUNFT_PORT": str(port),
        "ZUNFT_ADMIN_TOKEN": token,
        "ZUNFT_CONSOLE": "false",
        "ZUNFT_LOG_LEVEL": "WARNING",
        "ZUNFT_MERGE_DEVICE": "cpu",
        "ZUNFT_SKILL_LIMIT": str(2**31),
        "ZUNFT_DELTA_LIMIT": str(2**33),
    }
    command = [sys.executable, "-m", "benchmarks.transfer_ends", "hub"]
    process = subprocess.Popen(command, env=environment)  # noqa: S603 - our own words
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(url, process)
        yield process.pid, url, token
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until the hub answers."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError("the hub did not start")


@contextmanager
def start_robot(home: Path, url: str, token: str) -> Iterator[subprocess.Popen[str]]:
    """A robot that waits for words."""
    command = [sys.executable, "-m", "benchmarks.transfer_ends", "robot", str(home), url, token]
    process = subprocess.Popen(  # noqa: S603 - our own words
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def table(rows: Sequence[Row], robots: Sequence[Watch], model: int) -> list[str]:
    """Markdown."""
    lines = [
        "| step | MB | s | MB/s | hub, private | hub, resident |",
        "|---|---|---|---|---|---|",
    ]
    lines += [line_of(row, model) for row in rows]
    made = next(row for row in rows if row.step.startswith("make"))
    moved = sum(row.bytes for row in rows[2:]) - made.bytes
    seconds = sum(row.seconds for row in rows[2:]) - made.seconds
    peaks = (max(row.private for row in rows), max(row.resident for row in rows))
    own = (max(watch.private for watch in robots), max(watch.resident for watch in robots))
    return [
        *lines,
        "",
        f"End to end, without what robots do for themselves: {pace(moved, seconds)}.",
        f"Hub: {memory(peaks[0], model)} private at most, {memory(peaks[1], model)} resident.",
        f"Largest robot: {memory(own[0], model)} private at most, {memory(own[1], model)} resident.",
    ]


def line_of(row: Row, model: int) -> str:
    """A row of the table."""
    cells = [row.step, f"{row.bytes / MEGABYTE:.0f}", f"{row.seconds:.1f}"]
    cells += [f"{row.bytes / MEGABYTE / row.seconds:.0f}" if row.bytes else ""]
    return f"| {' | '.join([*cells, memory(row.private, model), memory(row.resident, model)])} |"


def pace(size: int, seconds: float) -> str:
    """How much in how long."""
    return f"{size / MEGABYTE:.0f} MB in {seconds:.1f} s, {size / MEGABYTE / seconds:.0f} MB/s"


def memory(size: int, model: int) -> str:
    """Megabytes, and how many models that are."""
    return f"{size / MEGABYTE:.0f} MB ({size / model:.2f} models)"


def beside(wanted: argparse.Namespace) -> list[str]:
    """Flower's round, or why not."""
    if wanted.no_flower or find_spec("flwr") is None:
        return ["Flower was not measured."]
    from benchmarks.transfer_flower import measure  # noqa: PLC0415 - optional

    progress.print("Flower")
    room = available_memory() // (FLOWERS_SERVER + FLOWERS_CLIENT * wanted.robots)
    size = min(wanted.megabytes * MEGABYTE, room)
    found = measure(wanted.robots, size // 4, watching)
    return [
        f"Flower {found.version}, a model of {size / MEGABYTE:.0f} MB: {pace(found.bytes, found.seconds)}.",
        f"Server: {memory(found.server, size)} private at most.",
        f"Largest client: {memory(found.client, size)} private at most.",
    ]


def available_memory() -> int:
    """Bytes that processes may still take."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))


def page(text: str) -> str:
    """For benchmarks/results."""
    parts = [
        "# Transfers",
        f"`python -m benchmarks.transfer {' '.join(sys.argv[1:])}`, {datetime.now(UTC):%Y-%m-%d}.",
        (__doc__ or "").partition("\n\n")[2].strip(),
        text,
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
