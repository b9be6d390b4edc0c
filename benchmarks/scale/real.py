"""Real robots on a real hub: what each thing takes of its processor, and whole rounds of up to 10,000.

The hub runs as `zunft hub` starts it, one process with SQLite and files; robots are keys of one process with
real sockets and signed requests (`benchmarks.hub_fleet`). What is measured is processor time, so that
whatever else the machine does changes little. What is made of it is `benchmarks.scale.simulation`'s.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import numpy as np

from benchmarks.hub_cases import measured
from benchmarks.hub_fleet import AT_A_TIME, Fleet, Held, Robot, at_once, hold_polls, paced
from benchmarks.scale.costs import Costs, Line, Point, fit
from benchmarks.scale.simulation import Plan
from hub.rounds.journal import collection_of, newest_round
from hub.storage.database import Database
from hub.storage.notify import Bell
from skills.container import Tensors
from skills.delta import Delta, DeltaHeader
from skills.messages.campaigns import CampaignRequest
from skills.messages.plans import GatePlan
from skills.messages.rounds import Assignment
from skills.skill import Skill
from zunft.hub_process import HubProcess
from zunft.new_skill import new_skill

__all__ = ["Measured", "Sizes", "calibrate", "prepare", "real_run"]

TASK = "weld-seam"
LARGE_SKILL = "weld-seam-large"
SMALL, LARGE = (68, 68), (800, 800)
"""Layers of the two networks: files of some 60 kB and 5 MB."""
EPISODES = 4
"""In a gate's batch; the stable version plays as many."""
ASKED_A_SECOND = 400
LOOKS = 20
APART = 30  # robots that push one after the other
PACE = 0.15  # seconds between these: each wakes whoever looks for news
FEW = 10  # robots that bring large deltas
LONG = 3_000.0  # seconds that a round may take on a busy machine
CALM = 2.0  # seconds until what was begun has come to rest

TRIES = 20
Result = TypeVar("Result")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        robots: For what each thing takes.
        seconds: So long robots poll, and so long nothing happens.
        rounds: By the number of robots of a real run.
    """

    robots: int
    seconds: float
    rounds: dict[int, int]


@dataclass(frozen=True)
class Measured:
    """One real run.

    Attributes:
        plan: What was run.
        seconds: From the order to the end of the last round.
        web: Processor seconds of the hub's process meanwhile.
        worker: And of its worker's merges and gates.
        client: And of the process with the robots.
        load: Load average of the machine before it.
        broken: Connections that broke, after which robots asked again.
    """

    plan: Plan
    seconds: float
    web: float
    worker: float
    client: float
    load: float
    broken: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For a file."""
        return asdict(self)


class _Clocks:
    """Processor seconds of hub and client since the last look; of the hub's without what it takes at rest."""

    def __init__(self, pid: int, idle: float = 0.0) -> None:
        self.idle = idle
        self._pid = pid
        self._at, self._hub, self._client = self._now()

    def lap(self) -> tuple[float, float]:
        """Since the last lap."""
        at, hub, client = self._now()
        passed = max(0.0, hub - self._hub - self.idle * (at - self._at)), client - self._client
        self._at, self._hub, self._client = at, hub, client
        return passed

    def _now(self) -> tuple[float, float, float]:
        stat = Path(f"/proc/{self._pid}/stat").read_text().rpartition(")")[2].split()
        hub = sum(int(ticks) for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")
        return time.monotonic(), hub, time.process_time()


async def calibrate(fleet: Fleet, hub: HubProcess, sizes: Sizes, say: Say) -> Costs:
    """What each thing takes, one after the other, with `sizes.robots` robots; leaves them enrolled."""
    clocks, many = _Clocks(hub.pid), sizes.robots
    say(f"enrolling {many} robots")
    clocks.lap()
    await fleet.enrol(many)
    enrol = clocks.lap()[0] / many
    say("a hub at rest, and one that is asked")
    await asyncio.sleep(sizes.seconds)
    idle = clocks.lap()[0] / sizes.seconds
    clocks.idle = idle
    small_skill, large_skill = await prepare(fleet)
    clocks.lap()
    polls = len(await paced(partial(_poll, fleet), sizes.seconds))
    poll = clocks.lap()[0] / polls
    until, polls = time.perf_counter() + sizes.seconds, 0
    while time.perf_counter() < until:
        await _poll(fleet, polls)
        polls += 1
    commit = max(0.0, clocks.lap()[0] / polls - poll)
    say("rounds of small deltas, step by step")
    small = await _round(fleet, clocks, hub, fleet.robots, small_skill, EPISODES)
    say("rounds of large deltas, step by step")
    few = await _round(fleet, clocks, hub, fleet.robots[:FEW], large_skill, EPISODES)
    say("a gate of more episodes")
    more = await _round(fleet, clocks, hub, fleet.robots[:APART], small_skill, 8 * EPISODES, PACE)
    gates = [small.gate, few.gate, more.gate]
    start, episode = _gate_line(gates)
    return Costs(
        enrol=enrol,
        poll=poll,
        hold=max(poll, small.hold),
        fetch=fit([small.fetch, few.fetch]),
        push=fit([small.push, few.push]),
        commit=commit,
        look=_look_line(small, few, more, commit),
        round=small.rest,
        idle=idle,
        merge=fit([small.merge, few.merge]),
        merge_start=0.0,
        episode=episode,
        gate_start=start,
        client_hold=small.client_hold,
        client_fetch=fit([small.client_fetch, few.client_fetch]),
        client_push=fit([small.client_push, few.client_push]),
    )


@dataclass(frozen=True)
class _Round:
    """One round, step by step: seconds of each, and for how many of how many bytes."""

    hold: float
    fetch: Point
    push: Point
    rest: float
    look: Point
    merge: Point
    gate: Point
    client_hold: float
    client_fetch: Point
    client_push: Point


async def _round(
    fleet: Fleet,
    clocks: _Clocks,
    hub: HubProcess,
    robots: Sequence[Robot],
    base: Skill,
    episodes: int,
    pace: float = 0.0,
) -> _Round:
    """All robots do each step before any does the next; they push at once, or one in so many seconds."""
    many, skill = len(robots), base.manifest.name
    clocks.lap()
    held = [asyncio.ensure_future(hold_polls(fleet, Held(), robot, skill)) for robot in robots]
    await asyncio.sleep(CALM + many / ASKED_A_SECOND)
    campaign = await _order(fleet, skill, many, 1, episodes)
    works = await asyncio.gather(*held)
    hold, client_hold = (each / many for each in clocks.lap())
    look = Point(1, many, _look_seconds(hub, campaign))
    clocks.lap()
    fetching = [partial(_fetch, fleet, robot, work) for robot, work in zip(robots, works, strict=True)]
    fetched = await at_once(fetching, AT_A_TIME)
    fetch, client_fetch = (Point(many, fetched[0], each) for each in clocks.lap())
    steps = _steps(base)
    deltas = [_delta(robot, work, steps) for robot, work in zip(robots, works, strict=True)]
    size = len(deltas[0])
    clocks.lap()
    pushing = [
        partial(fleet.push, robot, work.round_id, delta)
        for robot, work, delta in zip(robots, works, deltas, strict=True)
    ]
    if pace:
        for each in pushing:
            await each()
            await asyncio.sleep(pace)
    else:
        await at_once(pushing, AT_A_TIME)
    push, client_push = (Point(many, size, each) for each in clocks.lap())
    metrics = (await _ended(fleet, campaign))[-1]["metrics"]
    rest = clocks.lap()[0]
    return _Round(
        hold=hold,
        fetch=fetch,
        push=push,
        rest=rest,
        look=look,
        merge=Point(many, size, metrics["merge_core_seconds"]),
        gate=Point(2 * episodes, fetched[0], metrics["gate_core_seconds"]),
        client_hold=client_hold,
        client_fetch=client_fetch,
        client_push=client_push,
    )


async def real_run(fleet: Fleet, hub: HubProcess, many: int, rounds: int, say: Say) -> Measured:
    """Whole rounds of so many robots, each at its own pace."""
    load, clocks = os.getloadavg()[0], _Clocks(hub.pid)
    missing = many - len(fleet.robots)
    if missing > 0:
        say(f"enrolling {missing:,} robots more")
        await fleet.enrol(missing)
    steps, robots = _steps(_skill(TASK, SMALL)), fleet.robots[:many]
    train = max(2.0, many / 200)
    rng = np.random.default_rng(many)
    draws = rng.uniform(0.5, 1.5, (many, rounds)) * train
    say(f"{many:,} robots begin to ask for work")
    broken: list[str] = []
    clocks.lap()
    lives = [
        asyncio.ensure_future(_life(fleet, robot, steps, pauses.tolist(), number / ASKED_A_SECOND, broken))
        for number, (robot, pauses) in enumerate(zip(robots, draws, strict=True))
    ]
    await asyncio.sleep(CALM + many / ASKED_A_SECOND)
    begun = time.perf_counter()
    say(f"{many:,} robots work on {rounds} rounds")
    campaign = await _patiently(partial(_order, fleet, TASK, many, rounds, EPISODES), broken)
    sizes = await asyncio.gather(*lives)
    ended = await _patiently(partial(_ended, fleet, campaign), broken)
    web, client = clocks.lap()
    seconds = time.perf_counter() - begun
    worker = sum(
        each["metrics"][name] for each in ended for name in ("merge_core_seconds", "gate_core_seconds")
    )
    fetched, brought = sizes[0]
    plan = Plan(
        robots=many,
        rounds=rounds,
        base_bytes=fetched,
        delta_bytes=brought,
        train_seconds=train,
        train_cores=0.0,
        episodes=2 * EPISODES,
        one_client=True,
    )
    return Measured(plan, seconds, web, worker, client, load, len(broken))


async def _life(
    fleet: Fleet, robot: Robot, steps: Tensors, pauses: Sequence[float], after: float, broken: list[str]
) -> tuple[int, int]:
    """A robot's rounds, from so many seconds on; returns the bytes of a base and of a delta."""
    await asyncio.sleep(after)
    fetched = brought = 0
    for pause in pauses:
        work = await _patiently(partial(hold_polls, fleet, Held(), robot, TASK), broken)
        fetched = await _patiently(partial(_fetch, fleet, robot, work), broken)
        await asyncio.sleep(pause)
        delta = _delta(robot, work, steps)
        await _patiently(partial(fleet.push, robot, work.round_id, delta), broken)
        brought = len(delta)
    return fetched, brought


async def prepare(fleet: Fleet) -> tuple[Skill, Skill]:
    """Publish the small skill and the large one, and have the version to start from measured."""
    both = _skill(TASK, SMALL), _skill(LARGE_SKILL, LARGE)
    for skill in both:
        await fleet.publish(skill)
    await measured(fleet)
    return both


async def _patiently(ask: Callable[[], Awaitable[Result]], broken: list[str]) -> Result:
    """Ask again where a connection broke, as robots do, and note it."""
    for _ in range(TRIES):
        try:
            return await ask()
        except aiohttp.ClientError as error:
            broken.append(type(error).__name__)
            await asyncio.sleep(CALM)
    return await ask()


def _skill(name: str, hidden: tuple[int, int]) -> Skill:
    """Its first version, which knows nothing; equal bits each time."""
    made = new_skill(TASK, seed=0, network={"hidden": hidden})
    return Skill(made.manifest.model_copy(update={"name": name}), made.tensors)


async def _poll(fleet: Fleet, number: int) -> None:
    robot = fleet.robots[number % len(fleet.robots)]
    status, body = await fleet.ask(robot, "GET", f"/robots/me/assignment?skill={TASK}")
    if status != 204:
        raise RuntimeError(f"a question for work was answered with {status}: {body[:300]!r}")


async def _order(fleet: Fleet, skill: str, robots: int, rounds: int, episodes: int) -> str:
    """Rounds that close with everybody's deltas; the gate plays one batch and lets everything pass."""
    gate = GatePlan(embodiments=("ur5e",), episodes=episodes, most=episodes, margin=1, arm_margin=1)
    order = CampaignRequest(
        skill=skill, rounds=rounds, quorum=robots, target=robots, gate=gate, deadline_seconds=LONG
    )
    return str((await fleet.order("POST", "/campaigns", order.model_dump(mode="json")))["campaign_id"])


async def _fetch(fleet: Fleet, robot: Robot, work: Assignment) -> int:
    """The round's base; returns its bytes."""
    path = f"/skills/{work.base.skill}/versions/{work.base.version}/file"
    status, body = await fleet.ask(robot, "GET", path)
    if status != 200:
        raise RuntimeError(f"a base was answered with {status}: {body[:300]!r}")
    return len(body)


def _steps(base: Skill) -> Tensors:
    """What any robot could have learned."""
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=tensor.shape) * 1e-3 for name, tensor in base.tensors.items()}


def _delta(robot: Robot, work: Assignment, steps: Tensors) -> bytes:
    header = DeltaHeader(
        base=work.base.digest, round_id=work.round_id, robot_id=robot.robot_id, codec="fp16", samples=100
    )
    return Delta(header, steps).to_bytes()


async def _ended(fleet: Fleet, campaign_id: str) -> list[dict[str, Any]]:
    """Rounds of a campaign that is over; seldom asked, since the hub's time is measured."""
    begun = time.perf_counter()
    while True:
        campaign = await fleet.order("GET", f"/campaigns/{campaign_id}")
        if campaign["state"] != "running":
            break
        if time.perf_counter() - begun > LONG:
            raise RuntimeError(f"a round does not end: {campaign['waiting_for']}")
        await asyncio.sleep(CALM)
    rounds: list[dict[str, Any]] = campaign["rounds"]
    if any(each["state"] != "published" for each in rounds):
        raise RuntimeError(f"a round gave no version: {[each['waiting_for'] for each in rounds]}")
    return rounds


def _look_seconds(hub: HubProcess, campaign_id: str) -> float:
    """What one look of the engine at an open round takes: done here, on the hub's own database."""
    database = Database(f"sqlite:///{hub.log.parent / 'hub.sqlite'}", Bell())
    begun = time.process_time()
    for _ in range(LOOKS):
        with database.read() as session:
            row = newest_round(session, campaign_id)
            if row is not None:
                collection_of(session, row, row.opened_at, LONG)
    taken = time.process_time() - begun
    database.close()
    return taken / LOOKS


def _look_line(small: _Round, few: _Round, apart: _Round, commit: float) -> Line:
    """Looks by their robots; what a delta wakes besides is what it takes more when it comes alone."""
    look = fit([small.look, few.look])
    alone, together = (each.push.seconds / each.push.count for each in (apart, small))
    return Line(max(look.fixed, alone - together - commit - look.each * apart.look.amount), look.each)


def _gate_line(gates: Sequence[Point]) -> tuple[float, Line]:
    """What a gate takes to start, and each episode by the skill's bytes: three points, three unknowns."""
    rows = np.array([[1.0, each.count, each.count * each.amount] for each in gates])
    taken = np.array([each.seconds for each in gates])
    start, episode, byte = (max(0.0, float(each)) for each in np.linalg.lstsq(rows, taken, rcond=None)[0])
    return start, Line(episode, byte)
