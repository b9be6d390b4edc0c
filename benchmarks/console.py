"""What the console costs a large hub: `python -m benchmarks.console`, some minutes.

A database is filled with 10,000 skills and 10,000 robots; a real hub serves its pages to clients that do what
browsers do: load a page, open its socket, answer pings, and note when something new is shown. Times are also
given as multiples of an empty page's, processor time and memory are of the process that builds pages.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from sqlalchemy import update

from benchmarks.lists_filling import FULL, Size, fill
from benchmarks.visitors import socket_of
from hub.clock import utc_now
from hub.services import open_services
from hub.settings import Settings
from hub.storage.record import record
from hub.storage.tables.robots import RobotRow
from hub.storage.tables.rollouts import RolloutRow
from hub.storage.tables.rounds import CampaignRow, RoundRow
from skills.messages.base import API
from skills.messages.rollouts import UNENDED
from skills.messages.rounds import FINAL
from zunft.hub_process import HubProcess, run_hub

EMPTY = "/login"
PAGES = (
    "/",
    "/skills",
    "/skills/skill-1003",
    "/robots",
    "/rollouts",
    "/tasks",
    "/campaigns/c-10033",
    "/audit",
)
LOADS = 7
OPEN = 50
IDLE_SECONDS = 30.0
EVENTS = 20
QUIET_SECONDS = 1.5  # between two events, so that each finds pages at rest
PATIENCE = 60.0
CONNECT, PING, PONG, UPDATE = "40", "2", "3", '"update"'
TICKS = os.sysconf("SC_CLK_TCK")
AIMS = {"first page": 1.0, "update": 0.3, "idle": 0.2, "memory": 3.0}
"""Seconds until a page is there, seconds from an event to what is shown, cores with all open, MB a page."""


@dataclass(frozen=True)
class Found:
    """What was measured.

    Attributes:
        loads: Seconds that each page took, medians.
        updates: Seconds from each event to the message that brought it to a page.
        idle: Cores that 50 open pages cost while nothing happens.
        memory: MB for each open page.
    """

    loads: dict[str, float]
    updates: Sequence[float]
    idle: float
    memory: float


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--skills", type=int, default=10_000)
    parser.add_argument("--robots", type=int, default=10_000)
    parser.add_argument("--output", type=Path, help="Markdown, such as benchmarks/results/console.md")
    chosen = parser.parse_args()
    size = Size(chosen.skills, versions=5, rounds=3, robots=chosen.robots, events=FULL.events)
    with tempfile.TemporaryDirectory() as folder:
        _say("fills a database")
        _fill(Path(folder), size)
        os.environ |= {"ZUNFT_PAGE_RATE_LIMIT": "0", "ZUNFT_CONSOLE_SOCKETS_PER_ADDRESS": "200"}
        with run_hub(Path(folder)) as hub:
            found = asyncio.run(measure(hub, Path(folder)))
    told = report(found, size)
    print(told)
    if chosen.output:
        chosen.output.write_text(told)


def _fill(folder: Path, size: Size) -> None:
    hub = open_services(Settings.model_validate({"data_dir": folder}))
    fill(hub.storage.database, size, "0" * 64)
    with hub.storage.database.write() as session:  # or the hub would have work to do, and things would happen
        session.execute(update(CampaignRow).values(state="finished"))
        session.execute(update(RoundRow).where(RoundRow.state.not_in(FINAL)).values(state="failed"))
        session.execute(update(RolloutRow).where(RolloutRow.state.in_(UNENDED)).values(state="done"))
        session.execute(update(RobotRow).values(lost_at=RobotRow.enrolled_at))
    hub.close()


async def measure(hub: HubProcess, folder: Path) -> Found:
    """Load every page again and again, then hold many open, idle and while something happens."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(hub.url, cookie_jar=jar) as browser:
        await _timed(browser, EMPTY)  # starts the process
        await _sign_in(browser, hub)
        _say("loads each page")
        loads = {page: await _load(browser, page) for page in (EMPTY, *PAGES)}
        pages = _console_of(hub.pid)
        before = _memory(pages)
        _say(f"opens {OPEN} pages")
        async with AsyncExitStack() as stack:
            shown = [
                await stack.enter_async_context(_open(browser, hub.url, PAGES[n % len(PAGES)]))
                for n in range(OPEN)
            ]
            await asyncio.sleep(IDLE_SECONDS / 3)  # what the opening left to do is done
            memory = (_memory(pages) - before) / OPEN
            _say("waits")
            idle = await _idle(pages, folder)
            _say("lets something happen")
            updates = await _updates(folder, shown[0])
    return Found(loads, updates, idle, memory)


def _say(what: str) -> None:
    print(f"{what} ...", file=sys.stderr, flush=True)


class OpenPage:
    """A page with its socket; `news` is set when something new was shown."""

    def __init__(self, line: aiohttp.ClientWebSocketResponse) -> None:
        self._line = line
        self.news = asyncio.Event()

    async def listen(self) -> None:
        """Answer pings, and note updates; until the socket is closed."""
        async for message in self._line:
            if message.data == PING:
                await self._line.send_str(PONG)
            elif UPDATE in (
                message.data if isinstance(message.data, str) else message.data.decode("latin-1")
            ):
                self.news.set()


@asynccontextmanager
async def _open(browser: aiohttp.ClientSession, url: str, path: str) -> AsyncIterator[OpenPage]:
    async with browser.get(path) as answer:
        page = await answer.text()
    async with browser.ws_connect(socket_of(page), headers={"Origin": url}, max_msg_size=0) as line:
        await line.send_str(CONNECT)
        shown = OpenPage(line)
        listening = asyncio.create_task(shown.listen())
        try:
            yield shown
        finally:
            listening.cancel()


async def _sign_in(browser: aiohttp.ClientSession, hub: HubProcess) -> None:
    async with browser.post(
        f"{API}/sessions", json={"token": hub.admin_token}, headers={"Origin": hub.url}
    ) as answer:
        answer.raise_for_status()


async def _load(browser: aiohttp.ClientSession, page: str) -> float:
    return statistics.median([await _timed(browser, page) for _ in range(LOADS)])


async def _timed(browser: aiohttp.ClientSession, page: str) -> float:
    begun = time.perf_counter()
    async with browser.get(page) as answer:
        answer.raise_for_status()
        await answer.read()
    return time.perf_counter() - begun


async def _idle(process: int, folder: Path) -> float:
    hub = open_services(Settings.model_validate({"data_dir": folder}))
    newest, before, begun = hub.events.log.last(), _cpu(process), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    cores = (_cpu(process) - before) / (time.monotonic() - begun)
    if happened := hub.events.log.last() - newest:
        _say(f"{happened} things happened meanwhile")
    hub.close()
    return cores


async def _updates(folder: Path, page: OpenPage) -> list[float]:
    """Seconds from an event's commit, in this process, to what a page shows of it."""
    hub = open_services(Settings.model_validate({"data_dir": folder}))
    found = []
    for number in range(EVENTS):
        await asyncio.sleep(QUIET_SECONDS)
        page.news.clear()
        begun = time.perf_counter()
        with hub.storage.database.write() as session:
            record(session, "round.failed", utc_now(), skill="skill-1003", number=number)
        await asyncio.wait_for(page.news.wait(), PATIENCE)
        found.append(time.perf_counter() - begun)
    hub.close()
    return found


def _console_of(hub: int) -> int:
    """The process that builds pages: the child that gives way to the others."""
    children = [
        int(child)
        for thread in Path(f"/proc/{hub}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    return max(children, key=lambda child: os.getpriority(os.PRIO_PROCESS, child))


def _cpu(process: int) -> float:
    """Seconds of the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(process: int) -> float:
    """MB that are resident."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def report(found: Found, size: Size) -> str:
    """Markdown."""
    empty = found.loads[EMPTY]
    slowest = max(found.loads[page] for page in PAGES)
    usual = statistics.median(found.updates)
    lines = [
        "# console",
        "",
        f"Pages of a hub with {size.skills:,} skills and {size.robots:,} robots on SQLite, beside its client",
        "on the same machine. Made by `python -m benchmarks.console --output benchmarks/results/console.md`.",
        "",
        "| page | until it is there | as an empty page |",
        "|---|---:|---:|",
        *(f"| `{page}` | {1000 * s:.0f} ms | {s / empty:.1f}x |" for page, s in found.loads.items()),
        "",
        f"- The slowest page takes {slowest:.2f} s: {_aim(slowest, 'first page')} s.",
        f"- An event is on an open page after {usual:.2f} s: {_aim(usual, 'update')} s (median of {EVENTS}).",
        f"- The latest of them came after {max(found.updates):.2f} s.",
        f"- {OPEN} open pages cost {found.idle:.3f} of a core when idle: {_aim(found.idle, 'idle')}.",
        f"- An open page takes {found.memory:.1f} MB: {_aim(found.memory, 'memory')} MB.",
    ]
    return "\n".join(lines) + "\n"


def _aim(value: float, name: str) -> str:
    return f"{'met' if value <= AIMS[name] else 'missed'}, asked are {AIMS[name]}"


if __name__ == "__main__":
    main()
