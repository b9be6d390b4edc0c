"""What visitors of the console cost robots: `python -m benchmarks.visitors`, a minute.

One robot asks a hub for work, again and again, in turns alone and with visitors. A visitor does over real
sockets what a browser does: it loads a page, then what the page loads as far as it has not kept that, opens
the page's socket, holds it for a moment, and goes to the next page. All visitors are one process, which gives
way to the hub and the robot, because visitors have machines of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import httpx

from fleet.auth import ProofAuth
from fleet.client import OperatorClient, enrol
from skills.initial import initial_skill
from skills.messages.base import API
from skills.messages.robots import EnrolmentRequest, EnrolmentTokenRequest
from skills.signing import SigningKey
from zunft.hub_process import HubProcess, run_hub
from zunft.new_skill import new_skill

__all__ = ["compare", "quantile", "socket_of", "visited_hub"]

VISITORS = 4
TURNS = 6
TURN_SECONDS = 5.0
STAY_SECONDS = 0.1
NICENESS = 10
PAUSE_SECONDS = 2.0
BREATH = 0.01  # seconds between two questions of the robot
SKILLS = 12
SHARES = (0.5, 0.95, 0.99, 1.0)
PAGES = ("/", "/skills/skill-0", "/tasks", "/skills/skill-1")
ASSET = re.compile(r"""(?:href|src)="(/_nicegui/[^"]+)\"""")
CLIENT = re.compile(r"client_id['\"]?: ?['\"]([0-9a-f-]+)")


@dataclass
class Found:
    """Seconds that requests took alone and with visitors, and how many pages these loaded a second."""

    alone: list[float] = field(default_factory=list)
    visited: list[float] = field(default_factory=list)
    pages: float = 0.0


@contextmanager
def visited_hub(folder: Path) -> Iterator[HubProcess]:
    """A hub with some skills on its pages, which one address may load as often as it likes."""
    os.environ["ZUNFT_PAGE_RATE_LIMIT"] = "0"
    with run_hub(folder) as hub:
        operator = OperatorClient.open(hub.url, hub.admin_token)
        manifest = new_skill("weld-seam", seed=0).manifest
        for number in range(SKILLS):
            named = manifest.model_copy(update={"name": f"skill-{number}"})
            operator.publish_skill(initial_skill(named, seed=number))
        yield hub


def compare(hub: HubProcess, *, turns: int = TURNS, seconds: float = TURN_SECONDS) -> Found:
    """A robot's requests alone and with visitors, in turns; the first page is loaded before."""
    robot = _enrolled(hub)
    httpx.get(hub.url, timeout=60).raise_for_status()
    spawn = get_context("spawn")
    is_open, pages = spawn.Event(), spawn.Value("q")
    visitors = spawn.Process(target=_visit, args=(hub.url, is_open, pages), daemon=True)
    visitors.start()
    found = Found()
    try:
        for _ in range(turns):
            found.alone += _asking(hub.url, robot, seconds)
            is_open.set()
            time.sleep(PAUSE_SECONDS)  # all of them are there by then
            before = pages.value
            found.visited += _asking(hub.url, robot, seconds)
            found.pages += (pages.value - before) / seconds / turns
            is_open.clear()
            time.sleep(PAUSE_SECONDS)  # the last pages have gone
    finally:
        visitors.kill()
        visitors.join()
    return found


def quantile(seconds: Sequence[float], share: float) -> float:
    """The time below which this share of them stayed."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _enrolled(hub: HubProcess) -> ProofAuth:
    operator = OperatorClient.open(hub.url, hub.admin_token)
    key = SigningKey.generate()
    token = operator.create_tokens(EnrolmentTokenRequest())[0].token
    wanted = EnrolmentRequest(token=token, name="welder", embodiment="ur5e", public_key=key.public.text)
    return ProofAuth(enrol(hub.url, wanted).robot_id, key)


def _asking(url: str, robot: ProofAuth, seconds: float) -> Iterator[float]:
    """A robot's question for work, one after the other; how long each answer took."""
    with httpx.Client(base_url=url, auth=robot, timeout=60) as client:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            client.get(f"{API}/robots/me/assignment", params={"skill": "skill-0"}).raise_for_status()
            yield time.perf_counter() - begun
            time.sleep(BREATH)


def _visit(url: str, is_open: Event, pages: Synchronized[int]) -> None:
    os.nice(NICENESS)
    asyncio.run(_all_visit(url, is_open, pages))


async def _all_visit(url: str, is_open: Event, pages: Synchronized[int]) -> None:
    await asyncio.gather(*(_walk(url, is_open, pages, number) for number in range(VISITORS)))


async def _walk(url: str, is_open: Event, pages: Synchronized[int], number: int) -> None:
    kept: set[str] = set()
    async with aiohttp.ClientSession(url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        while True:
            if not is_open.is_set():
                await asyncio.sleep(0.05)
                continue
            await _look(browser, url, PAGES[number % len(PAGES)], kept)
            number += 1
            pages.value += 1


async def _look(browser: aiohttp.ClientSession, url: str, path: str, kept: set[str]) -> None:
    """Load a page, hold its socket for a while, and leave."""
    async with browser.get(path) as answer:
        page = await answer.text()
    for asset in set(ASSET.findall(page)) - kept:
        kept.add(asset)
        async with browser.get(asset) as answer:
            await answer.read()
    async with browser.ws_connect(socket_of(page), headers={"Origin": url}) as line:
        await line.send_str("40")
        end = time.monotonic() + STAY_SECONDS
        while (left := end - time.monotonic()) > 0:
            try:
                message = await line.receive_str(timeout=left)
            except TimeoutError:
                break
            if message == "2":
                await line.send_str("3")


def socket_of(page: str) -> str:
    """Where a page of NiceGUI's opens its socket, so that it is greeted at once.

    Raises:
        ValueError: It is no such page.
    """
    found = CLIENT.search(page)
    if found is None:
        raise ValueError(f"this is no page of the console: {page[:200]}")
    said = {"client_id": found[1], "implicit_handshake": "true", "next_message_id": "0"}
    said |= {"document_id": found[1], "tab_id": found[1], "old_tab_id": "", "EIO": "4"}
    return f"/_nicegui_ws/socket.io/?{urlencode(said)}&transport=websocket"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--seconds", type=float, default=TURN_SECONDS, help="of a turn")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, visited_hub(Path(folder)) as hub:
        found = compare(hub, turns=chosen.turns, seconds=chosen.seconds)
    print(f"{VISITORS} visitors loaded {found.pages:.1f} pages a second.")
    print(f"{'':20}{'requests':>10}" + "".join(f"{name:>10}" for name in ("p50", "p95", "p99", "worst")))
    rows = {"alone": found.alone, "with visitors": found.visited}
    quantiles = {name: [quantile(times, share) for share in SHARES] for name, times in rows.items()}
    for name, times in rows.items():
        print(f"{name:20}{len(times):10}" + "".join(f"{1000 * each:7.1f} ms" for each in quantiles[name]))
    ratios = zip(*quantiles.values(), strict=True)
    print(f"{'ratio':30}" + "".join(f"{visited / alone:9.1f}x" for alone, visited in ratios))


if __name__ == "__main__":
    main()
