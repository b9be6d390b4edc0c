"""One run of chaos: faults one after another while campaigns go on, then peace, then the verdict."""

from __future__ import annotations

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skills.errors import ZunftError
from skills.messages.campaigns import CampaignView
from skills.messages.lists import CampaignQuery
from tests.chaos.faults import FAULTS
from tests.chaos.verdict import Verdict, judge
from tests.chaos.world import World, build
from tests.eventually import eventually

__all__ = ["Plan", "Result", "run"]

REST = 0.5  # seconds between two faults at most


@dataclass(frozen=True)
class Plan:
    """How much chaos.

    Attributes:
        faults: How many, each kind about as often as the others.
        rounds: Of each campaign; another one is started when one has ended.
    """

    faults: int
    hubs: int
    robots: int
    rounds: int
    seed: int


@dataclass(frozen=True)
class Result:
    """What was done, and what came of it."""

    plan: Plan
    injected: dict[str, int]
    seconds: float
    verdict: Verdict


def run(plan: Plan, on_fault: Callable[[str], None] = lambda _: None, folder: Path | None = None) -> Result:
    """Build a world, break it `plan.faults` times, and judge what is left.

    Raises:
        TimeoutError: It did not come to its end after the last fault was taken back.
    """
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="zunft-chaos-") as made,
        build(folder or Path(made), hubs=plan.hubs, robots=plan.robots) as world,
    ):
        world.open(_wait)
        injected = _break(world, plan, on_fault)
        _end(world)
        for robot in world.robots:
            robot.send(signal.SIGKILL)
        verdict = judge(world.looking(), world.homes)
    return Result(plan, injected, time.monotonic() - started, verdict)


def _break(world: World, plan: Plan, on_fault: Callable[[str], None]) -> dict[str, int]:
    rng = np.random.default_rng(plan.seed)
    injected: Counter[str] = Counter()
    campaign = world.start_campaign(plan.rounds)
    bag: list[str] = []
    for _ in range(plan.faults):
        if not bag:
            bag = [str(name) for name in rng.permutation(list(FAULTS))]
        name = bag.pop()
        on_fault(name)
        undo = FAULTS[name].begin(world, rng)
        time.sleep(float(rng.uniform(0.2, 1)) * FAULTS[name].longest)
        undo()
        injected[name] += 1
        time.sleep(float(rng.uniform(0, REST)))
        campaign = _go_on(world, campaign, plan)
    return dict(injected)


def _go_on(world: World, campaign: CampaignView, plan: Plan) -> CampaignView:
    """Another campaign, where this one is known to have ended."""
    try:
        if world.operator().campaign(campaign.campaign_id).state == "running":
            return campaign
        return world.start_campaign(plan.rounds)
    except ZunftError:
        return campaign  # nobody answers at this moment


def _end(world: World) -> None:
    """Wait until all campaigns have ended, now that nothing is broken any longer."""
    for each in [*world.hubs, *world.robots]:
        each.start()

    def ended() -> bool:
        try:
            return all(each.state != "running" for each in world.operator().campaigns(CampaignQuery()).items)
        except ZunftError:
            return False

    _wait(ended, "the campaigns to end")


def _wait(ready: Callable[[], bool], what: str) -> None:
    eventually(ready, what)
