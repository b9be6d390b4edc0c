"""What is measured of a hub under load: polling, refreshing, news to held robots, and a round of many deltas.

Each case runs against the hub and against the bare endpoint, from the same client. Setting up, memory and
printing are `benchmarks.hub`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.hub_fleet import AT_A_TIME, Fleet, Held, Robot, at_once, hold_events, hold_polls, paced
from skills.messages.base import API
from skills.messages.rounds import Assignment
from skills.skill import Skill
from zunft.new_skill import new_skill

__all__ = [
    "Row",
    "Sizes",
    "Spread",
    "calling",
    "first_skill",
    "measured",
    "polling",
    "publishing",
    "pushing",
    "refreshing",
    "round_end",
]

HIDDEN = (138, 138)  # a delta of this network is 100 kB in fp16
SETTLING = 3.0  # seconds until so many questions are surely held
HELD_A_SECOND = 150  # and so many questions more take a second more
ROUND_SECONDS = 600.0  # longest that a round may take to merge and to be measured
SKILL = "weld-seam"


@dataclass(frozen=True)
class Sizes:
    """How many robots do what.

    Attributes:
        held: Wait for news at once.
        registered: Are enrolled, and poll in turn.
        pushing: Bring a delta in one round.
        seconds: For so long goes polling on.
        publications: So many versions are published to those who are held.
    """

    held: int
    registered: int
    pushing: int
    seconds: float
    publications: int


@dataclass(frozen=True)
class Spread:
    """How long something took in seconds, how often it was done, and how often a second."""

    count: int
    p50: float
    p99: float
    worst: float
    rate: float

    @classmethod
    def of(cls, taken: Sequence[float], seconds: float) -> Spread:
        """Of these, done within so many seconds."""
        if not taken:
            return cls(0, float("inf"), float("inf"), float("inf"), 0.0)
        p50, p99 = np.percentile(taken, [50, 99])
        return cls(len(taken), float(p50), float(p99), max(taken), len(taken) / seconds)


@dataclass(frozen=True)
class Row:
    """One case, of the hub and of the bare endpoint; `missing` is what never came."""

    name: str
    hub: Spread
    bare: Spread
    missing: int = 0


def first_skill() -> Skill:
    """The skill that all cases are about."""
    return new_skill(SKILL, seed=0, network={"hidden": HIDDEN})


async def polling(fleet: Fleet, bare: Fleet, sizes: Sizes) -> Row:
    """Every enrolled robot in turn asks for work that there is none of."""

    async def ask(number: int) -> None:
        robot = fleet.robots[number % len(fleet.robots)]
        status, body = await fleet.ask(robot, "GET", f"/robots/me/assignment?skill={SKILL}")
        if status != 204:
            raise RuntimeError(f"a question for work was answered with {status}: {body[:300]!r}")

    async def ping(_: int) -> None:
        await bare.fetch("GET", "/ping")

    hub = Spread.of(await paced(ask, sizes.seconds), sizes.seconds)
    return Row("poll for work", hub, Spread.of(await paced(ping, sizes.seconds), sizes.seconds))


async def refreshing(fleet: Fleet, bare: Fleet) -> Row:
    """Every enrolled robot asks once whether it has the newest signed metadata, as it does before a look."""
    _, newest = await fleet.refresh(fleet.robots[0], "")

    async def ask(robot: Robot) -> float:
        begun = time.perf_counter()
        status, _ = await fleet.refresh(robot, newest)
        if status != 304:
            raise RuntimeError(f"a refresh was answered with {status}")
        return time.perf_counter() - begun

    hub = await _all_at_a_time([partial(ask, each) for each in fleet.robots])
    pings = [partial(bare.fetch, "GET", "/ping")] * len(fleet.robots)
    return Row("refresh, nothing is newer", hub, await _all_at_a_time(pings))


async def _all_at_a_time(asked: Sequence[Callable[[], Awaitable[float]]]) -> Spread:
    begun = time.perf_counter()
    taken = await at_once(asked, AT_A_TIME)
    return Spread.of(taken, time.perf_counter() - begun)


async def publishing(fleet: Fleet, bare: Fleet, base: Skill, sizes: Sizes) -> Row:
    """Robots held on the event stream hear of new versions."""
    robots = fleet.robots[: sizes.held]

    async def publish(number: int) -> int:
        changes = {"version": number + 2, "origin": "upload", "summary": f"upload {number}"}
        await fleet.publish(Skill(base.manifest.model_copy(update=changes), base.tensors))
        return number + 2

    async def tell(number: int) -> int:
        await bare.fetch("POST", "/news")
        return number + 1

    listeners = [partial(hold_events, fleet, path=f"{API}/events", robot=robot) for robot in robots]
    idle = [partial(hold_events, bare, path="/events", robot=None) for _ in robots]
    hub, missing = await _heard(listeners, publish, sizes.publications)
    return Row(
        "publish, all held robots hear", hub, (await _heard(idle, tell, sizes.publications))[0], missing
    )


async def _heard(
    listeners: Sequence[Callable[..., Awaitable[None]]], publish: Callable[[int], Awaitable[int]], times: int
) -> tuple[Spread, int]:
    """From the start of each publication to each listener's hearing of it; and how many never did."""
    held = Held()
    tasks = [asyncio.ensure_future(listen(held=held)) for listen in listeners]
    await held.until(lambda: held.ready == len(tasks))
    taken: list[float] = []
    begun = time.perf_counter()
    for each in range(times):
        published = time.perf_counter()
        number = await publish(each)
        await held.until(partial(_all_heard, held, number, len(tasks)))
        taken += [at - published for at in held.heard.get(number, [])]
    seconds = time.perf_counter() - begun
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Spread.of(taken, seconds), len(tasks) * times - len(taken)


def _all_heard(held: Held, number: int, many: int) -> bool:
    return len(held.heard.get(number, [])) >= many


async def measured(fleet: Fleet) -> None:
    """Have the version to start from measured, by a campaign that ends at once: a hub does that only once."""
    campaign_id = await fleet.start(SKILL, 1)
    begun = time.perf_counter()
    while time.perf_counter() - begun < ROUND_SECONDS:
        if (await fleet.order("GET", f"/campaigns/{campaign_id}"))["rounds"]:
            break
        await asyncio.sleep(0.1)
    await fleet.order("POST", f"/campaigns/{campaign_id}/stop")


async def calling(fleet: Fleet, bare: Fleet, sizes: Sizes) -> tuple[Row, list[tuple[Robot, Assignment]], str]:
    """Robots held on long polls get work when a campaign begins; returns it, and the campaign's id."""
    robots = fleet.robots[: max(sizes.held, sizes.pushing)]
    held = Held()
    tasks = [asyncio.create_task(hold_polls(fleet, held, robot, SKILL)) for robot in robots]
    await asyncio.sleep(SETTLING + len(robots) / HELD_A_SECOND)
    begun = time.perf_counter()
    campaign_id = await fleet.start(SKILL, sizes.pushing)
    works = await asyncio.gather(*tasks)
    taken = [at - begun for at in held.heard[1]]
    row = Row(
        "order, all held robots get work", Spread.of(taken, max(taken)), await _woken(bare, len(robots))
    )
    return row, list(zip(robots, works, strict=True)), campaign_id


async def _woken(bare: Fleet, many: int) -> Spread:
    async def wait() -> float:
        await bare.fetch("GET", "/wait")
        return time.perf_counter()

    tasks = [asyncio.create_task(wait()) for _ in range(many)]
    await asyncio.sleep(SETTLING)
    begun = time.perf_counter()
    await bare.fetch("POST", "/news")
    taken = [at - begun for at in await asyncio.gather(*tasks)]
    return Spread.of(taken, max(taken))


async def pushing(fleet: Fleet, bare: Fleet, base: Skill, works: Sequence[tuple[Robot, Assignment]]) -> Row:
    """Robots bring their deltas, all at once."""
    deltas = [fleet.delta(robot, work, base, seed) for seed, (robot, work) in enumerate(works)]
    bringing = [
        partial(fleet.push, robot, work.round_id, delta)
        for (robot, work), delta in zip(works, deltas, strict=True)
    ]
    begun = time.perf_counter()
    taken = await at_once(bringing, len(works))
    hub = Spread.of(taken, time.perf_counter() - begun)
    begun = time.perf_counter()
    taken = await at_once([partial(bare.fetch, "POST", "/deltas", delta) for delta in deltas], len(works))
    return Row(
        f"push {len(deltas[0]) / 1000:.0f} kB, acknowledged",
        hub,
        Spread.of(taken, time.perf_counter() - begun),
    )


async def round_end(fleet: Fleet, campaign_id: str) -> str:
    """Wait until the round is over; says what became of it."""
    begun = time.perf_counter()
    while time.perf_counter() - begun < ROUND_SECONDS:
        campaign = await fleet.order("GET", f"/campaigns/{campaign_id}")
        if campaign["state"] != "running":
            break
        await asyncio.sleep(0.25)
    (last,) = campaign["rounds"]
    seconds = ", ".join(f"{name} {value:.1f}" for name, value in last["metrics"].items() if "seconds" in name)
    return f"The round of {last['deltas']} deltas is {last['state']} ({seconds})."
