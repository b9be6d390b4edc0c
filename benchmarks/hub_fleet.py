"""Many robots at once against one hub: one process, one event loop, signed requests, real sockets.

A robot here is a key and an id; it trains nothing. What is measured is what it waits for: an answer, an
event, an acknowledgement. What is asked when, and what is made of it, is `benchmarks.hub_cases`'s.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any, Self, TypeVar

import aiohttp
import numpy as np
from yarl import URL

from fleet.auth import signed_headers
from skills.container import digest_of
from skills.delta import Delta, DeltaHeader
from skills.messages.base import API, BLOB, DELTA_SIGNATURE_HEADER
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import GatePlan
from skills.messages.rounds import Assignment
from skills.signing import SigningKey, delta_statement
from skills.skill import Skill

__all__ = ["AT_A_TIME", "Fleet", "Held", "Robot", "at_once", "hold_events", "hold_polls", "paced"]

Result = TypeVar("Result")

PATIENCE = 60.0  # seconds for whatever should come soon
AT_A_TIME = 32  # requests under way where a whole fleet enrols or polls
TOKENS = 1000  # most that a hub makes at once
KEPT_SECONDS = 2.0  # idle connections are used again no longer than that; uvicorn closes them after 5
POLL_SECONDS = 30  # longest that a hub holds a question for work


@dataclass(frozen=True)
class Robot:
    """Who asks."""

    robot_id: str
    key: SigningKey


@dataclass
class Held:
    """Listeners that wait, and when each heard of which news."""

    heard: dict[int, list[float]] = field(default_factory=dict)
    ready: int = 0
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        """One listener waits from now on."""
        self.ready += 1
        self._change.set()

    def hear(self, number: int) -> None:
        """One listener hears of the news with this number now."""
        self.heard.setdefault(number, []).append(time.perf_counter())
        self._change.set()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait for a condition, `PATIENCE` seconds at most; the caller counts who is missing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not enough():
                    self._change.clear()
                    await self._change.wait()


class Fleet:
    """Robots and an operator with connections to one address; to be used with `async with`."""

    def __init__(self, url: str, token: str) -> None:
        self.robots: list[Robot] = []
        self._url = url
        self._operator = {"Authorization": f"Bearer {token}"}
        self._nonces = count()
        self._salt = secrets.token_hex(4)

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    def stream(self, robot: Robot | None, path: str) -> Any:
        """A response without an end, to be used with `async with`; signed where a robot asks."""
        headers = self._signed(robot, "GET", path, b"") if robot else {}
        return self._http.get(self._address(path), headers=headers)

    async def fetch(self, method: str, path: str, body: bytes = b"") -> float:
        """One request without credentials; returns how long it took."""
        begun = time.perf_counter()
        async with self._http.request(method, self._address(path), data=body) as answer:
            answer.raise_for_status()
            await answer.read()
        return time.perf_counter() - begun

    async def ask(
        self, robot: Robot, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes]:
        """Status and body of the answer to one signed request."""
        target = API + path
        signed = self._signed(robot, method, target, body)
        async with self._http.request(
            method, self._address(target), data=body, headers={**signed, **headers}
        ) as answer:
            return answer.status, await answer.read()

    async def refresh(self, robot: Robot, known: str) -> tuple[int, str]:
        """Ask whether a robot's metadata is the newest; status and tag of the answer."""
        target = f"{API}/tuf/metadata/timestamp.json"
        headers = {**self._signed(robot, "GET", target, b""), "If-None-Match": known}
        async with self._http.get(self._address(target), headers=headers) as answer:
            await answer.read()
            return answer.status, answer.headers.get("ETag", "")

    async def order(self, method: str, path: str, body: Any = None) -> Any:
        """An operator's request; returns the JSON of the answer."""
        kind = BLOB if isinstance(body, bytes) else "application/json"
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self._operator, "Content-Type": kind}
        address = self._address(API + path)
        async with self._http.request(method, address, data=content, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def enrol(self, many: int) -> None:
        """Let so many robots in, as robots come in."""
        tokens: list[str] = []
        while len(tokens) < many:
            wanted = {"count": min(TOKENS, many - len(tokens))}
            tokens += [each["token"] for each in await self.order("POST", "/enrolment-tokens", wanted)]
        self.robots += await at_once([partial(self._join, token) for token in tokens], AT_A_TIME)

    async def publish(self, skill: Skill) -> None:
        """Put a version into the catalogue."""
        await self.order("POST", "/skills", skill.to_bytes())

    async def start(self, skill: str, robots: int) -> str:
        """A campaign of one round that closes with the deltas of so many robots; returns its id."""
        gate = GatePlan(embodiments=("ur5e",), episodes=4, margin=1)
        order = CampaignRequest(skill=skill, rounds=1, quorum=robots, target=robots, gate=gate)
        started = await self.order("POST", "/campaigns", order.model_dump(mode="json"))
        return str(started["campaign_id"])

    async def push(self, robot: Robot, round_id: str, delta: bytes) -> float:
        """Bring a delta; returns the seconds until it was acknowledged."""
        signature = {DELTA_SIGNATURE_HEADER: robot.key.sign(delta_statement(digest_of(delta)))}
        begun = time.perf_counter()
        status, said = await self.ask(robot, "POST", f"/rounds/{round_id}/deltas", delta, **signature)
        if status not in {200, 201}:  # 200: it had come before
            raise RuntimeError(f"a delta was answered with {status}: {said[:300]!r}")
        return time.perf_counter() - begun

    def delta(self, robot: Robot, work: Assignment, base: Skill, seed: int) -> bytes:
        """What this robot could have learned: small random steps."""
        rng = np.random.default_rng(seed)
        header = DeltaHeader(
            base=work.base.digest, round_id=work.round_id, robot_id=robot.robot_id, codec="fp16", samples=100
        )
        steps = {name: rng.normal(size=tensor.shape) * 1e-3 for name, tensor in base.tensors.items()}
        return Delta(header, steps).to_bytes()

    async def _join(self, token: str) -> Robot:
        key = SigningKey.generate()
        request = {"token": token, "name": "load", "embodiment": "ur5e", "public_key": key.public.text}
        enrolled = await self.order("POST", "/robots", request)
        return Robot(enrolled["robot_id"], key)

    def _address(self, target: str) -> URL:
        return URL(self._url + target, encoded=True)

    def _signed(self, robot: Robot, method: str, target: str, body: bytes) -> dict[str, str]:
        return signed_headers(
            robot.key,
            robot_id=robot.robot_id,
            method=method,
            target=target,
            body=body,
            created=int(time.time()),
            nonce=f"{self._salt}-{next(self._nonces):08d}",
        )


async def at_once(work: Sequence[Callable[[], Awaitable[Result]]], most: int) -> list[Result]:
    """Results of all, in order, at most so many under way."""
    places = asyncio.Semaphore(most)

    async def one(each: Callable[[], Awaitable[Result]]) -> Result:
        async with places:
            return await each()

    return list(await asyncio.gather(*(one(each) for each in work)))


async def paced(ask: Callable[[int], Awaitable[None]], seconds: float) -> list[float]:
    """Ask again and again for so long, `AT_A_TIME` at a time; returns how long each answer took."""
    taken: list[float] = []
    numbers: Iterator[int] = count()
    end = time.perf_counter() + seconds

    async def worker() -> None:
        while time.perf_counter() < end:
            begun = time.perf_counter()
            await ask(next(numbers))
            taken.append(time.perf_counter() - begun)

    await asyncio.gather(*(worker() for _ in range(AT_A_TIME)))
    return taken


async def hold_events(fleet: Fleet, held: Held, path: str, robot: Robot | None) -> None:
    """Listen to events until cancelled; the number of the news is that of the version."""
    async with fleet.stream(robot, path) as stream:
        stream.raise_for_status()
        held.begin()
        async for line in stream.content:
            if line.startswith(b"data:") and b'"version.added"' in line:
                held.hear(json.loads(line[5:])["data"]["version"])


async def hold_polls(fleet: Fleet, held: Held, robot: Robot, skill: str) -> Assignment:
    """Ask for work, held by the hub until there is some."""
    while True:
        path = f"/robots/me/assignment?skill={skill}&wait_seconds={POLL_SECONDS}"
        status, body = await fleet.ask(robot, "GET", path)
        if status == 200:
            held.hear(1)
            return Assignment.model_validate_json(body)
        if status != 204:
            raise RuntimeError(f"a question for work was answered with {status}: {body[:300]!r}")
