"""Many light robots in one process: real agents, keys, metadata and HTTP; twins and cells that take no time.

A cell does a job whenever its robot has asked its hub, good with a chance that depends on version and
embodiment. What is rolled out and what is expected of it is `benchmarks.rollout`'s.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fleet.agent import Agent, AgentSettings
from fleet.membership import connect, join
from fleet.reporting import count_job
from fleet.robot_folder import Jobs, RobotFolder
from skills.fits import Abilities, Ability
from skills.initial import initial_skill
from skills.manifest import Channel, Contract, Manifest
from skills.messages.reports import Tally
from skills.networks.mlp import Mlp
from skills.skill import Skill

__all__ = ["SKILL", "LightFleet", "LightRobot", "version"]

SKILL = "follow"
THREADS = 12
BEFORE = 30
"""Jobs with the first version that each cell has done before anything begins."""
CONTRACT = Contract(
    observation=(Channel(name="error", size=2, unit="m", scale=0.01),),
    action=(Channel(name="velocity", size=1, unit="m/s", scale=0.1),),
    control_hz=50,
)


def version(number: int) -> Skill:
    """A small skill; its weights matter to nobody here."""
    manifest = Manifest(
        name=SKILL,
        version=number,
        task=SKILL,
        contract=CONTRACT,
        network=Mlp(inputs=2, outputs=1, hidden=(3,)),
        origin="initial" if number == 1 else "upload",
    )
    return initial_skill(manifest, seed=number)


class _Twin:
    """Finds every version good: what fails here fails at work alone."""

    contract = CONTRACT
    task_digest = None
    trains = has_twin = True

    def try_version(self, skill: Skill) -> float:  # noqa: ARG002
        return 0.9


@dataclass
class LightRobot:
    """One robot and what became of it.

    Attributes:
        chances: Of a good job, by version.
        took: When it began to use each version, seconds of the clock.
        jobs: Done with each version.
        is_off: Whether its network is away and it is switched off.
        after: Jobs with the second version after it was switched on again.
    """

    bench: RobotFolder
    embodiment: str
    agent: Agent
    chances: Mapping[int, float]
    rng: np.random.Generator
    took: list[tuple[int, float]] = field(default_factory=list)
    jobs: dict[int, int] = field(default_factory=dict)
    is_off: bool = False
    was_off: bool = False
    after: int = 0

    @property
    def robot_id(self) -> str:
        """As the hub calls it."""
        return self.bench.identity().robot_id

    @property
    def uses(self) -> int:
        """The version in use."""
        return self.took[-1][0] if self.took else 0

    def turn(self) -> float:
        """Ask the hub, and do a job; seconds until the next turn."""
        wait = self.agent.step()
        used = self.bench.memory(SKILL).in_use
        if used is None:
            return wait
        if used.version != self.uses:
            self.took.append((used.version, time.time()))
        self.jobs[used.version] = self.jobs.get(used.version, 0) + 1
        self.after += self.was_off and used.version == 2
        done = bool(self.rng.random() < self.chances[used.version])
        count_job(self.bench, SKILL, used.version, done=done, guards={})
        return wait


class LightFleet:
    """Robots that take turns on a few threads."""

    def __init__(self, folder: Path, hub: str, settings: AgentSettings) -> None:
        self.robots: list[LightRobot] = []
        self.failures: list[str] = []
        self._folder = folder
        self._hub = hub
        self._settings = settings
        self._due: list[tuple[float, int]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(THREADS)]

    def join(self, token: str, embodiment: str, chances: Mapping[int, float], seed: int) -> None:
        """Let one robot in, with jobs behind it."""
        number = len(self.robots)
        bench = RobotFolder(self._folder / f"robot-{number}")
        identity = join(bench, self._hub, token=token, name=f"cell {number}", embodiment=embodiment)
        rng, place = np.random.default_rng((seed, number)), _Twin()
        agent = Agent(
            SKILL,
            identity,
            bench,
            connect(bench),
            place,  # type: ignore[arg-type] # it trains nothing
            self._settings,
            abilities=Abilities(abilities=(Ability(task=SKILL, contract=CONTRACT),)),
            rng=rng,
            report=lambda _: None,
            stopped=self._stop.is_set,
        )
        tally = Tally(version=1)
        for _ in range(BEFORE):
            tally = tally.counting(done=bool(rng.random() < chances[1]))
        bench.keep_jobs(SKILL, Jobs(tallies=(tally,)))
        self.robots.append(LightRobot(bench, embodiment, agent, chances, rng))

    def start(self) -> None:
        """Begin to take turns, spread over one pause between two of them."""
        now, pause = time.monotonic(), self._settings.poll_seconds
        many = len(self.robots)
        self._due = [(now + pause * number / many, number) for number in range(many)]
        heapq.heapify(self._due)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the present turns."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def switch_off(self, numbers: Any) -> None:
        """Take these away from their hub."""
        for number in numbers:
            self.robots[number].is_off = True

    def switch_on(self, numbers: Any) -> None:
        """And back: their first turn is a question to their hub."""
        for number in numbers:
            self.robots[number].was_off, self.robots[number].is_off = True, False

    def until(self, what: Callable[[LightRobot], bool], patience: float, *, most: int = 0) -> bool:
        """Wait until all robots that are on are so, but for `most`; whether that came in time."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if sum(not what(each) for each in self.robots if not each.is_off) <= most:
                return True
            time.sleep(0.2)
        return False

    def _work(self) -> None:
        while not self._stop.is_set():
            with self._lock:
                at, number = self._due[0] if self._due else (time.monotonic() + 1, -1)
                is_due = number >= 0 and at <= time.monotonic()
                if is_due:
                    heapq.heappop(self._due)
            if not is_due:
                time.sleep(min(0.05, max(0.0, at - time.monotonic())))
                continue
            robot, wait = self.robots[number], self._settings.poll_seconds
            try:
                wait = 1.0 if robot.is_off else robot.turn()
            except Exception as error:  # noqa: BLE001 - said at the end, and the fleet goes on
                self.failures.append(repr(error))
            with self._lock:
                heapq.heappush(self._due, (time.monotonic() + wait, number))
