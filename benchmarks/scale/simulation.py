"""A hall on paper: robots, the hub's process, its line, its worker, as a discrete-event simulation by simpy.

Robots wait for a round, fetch its base, train, bring a delta, and wait again; the hub looks at the round
while it collects, merges and measures it. Each thing takes the processor time that `benchmarks.scale.costs`
has for it, first come, first served. Many alike robots go as one, `grain` at a time, so that a million are as
quick to simulate as a thousand. Equal seeds give equal bits.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import simpy

from benchmarks.scale.costs import Costs

__all__ = ["Outcome", "Plan", "Station", "simulate", "simulate_halls"]

Process = Generator[simpy.Event, Any, None]
MOST_ENTITIES = 1_000
LOOK_REST = 0.1  # seconds between two looks at a round while deltas come in, see hub.queue.background_loop
ALONE = 100  # looks that go one by one, the next as many in twos, and so on
LOOK_SECONDS = 1.0  # and while none do


@dataclass(frozen=True)
class Plan:
    """What is simulated.

    Attributes:
        robots: On this hall.
        rounds: One after the other; each waits for all robots.
        base_bytes: What a robot fetches for a round.
        delta_bytes: What it brings.
        train_seconds: How long a robot trains, from half to one and a half of it.
        train_cores: Processors that it is busy with meanwhile.
        episodes: At the gate, of candidate and stable version together.
        hold_seconds: How long a question for work is held before the robot asks again.
        link: Bytes a second that the hub's line takes in, and as many out; None: it takes no time.
        one_client: Whether all robots are in one process, as in a real run here.
    """

    robots: int
    rounds: int
    base_bytes: float
    delta_bytes: float
    train_seconds: float
    train_cores: float = 1.0
    episodes: int = 8
    hold_seconds: float = 30.0
    link: float | None = None
    one_client: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        seconds: From the order to the end of the last round.
        web: Processor seconds of the hub's processes.
        looks: So many of these for looks at open rounds.
        merging: Processor seconds of the worker's merges.
        gating: And of its gate.
        training: Processor seconds of all robots.
        received: Bytes of deltas.
        sent: Bytes of bases.
        line_in: Seconds for which the line took bytes in.
        line_out: And out.
    """

    seconds: float
    web: float
    looks: float
    merging: float
    gating: float
    training: float
    received: float
    sent: float
    line_in: float
    line_out: float

    def plus(self, other: Outcome, times: int = 1) -> Outcome:
        """With what so many others took beside; the time is that of this one."""
        mine, theirs = asdict(self), asdict(other)
        sums = {name: mine[name] + times * theirs[name] for name in mine if name != "seconds"}
        return replace(self, **sums)


class Station:
    """Somewhere with so many places, first come, first served; knows how long it was busy, and with how many.

    Attributes:
        busy: Seconds of all that was done.
        here: How many are here, waiting or served.
        area: Of `here` over time: its mean is `area` / time.
        waited: Seconds from coming to leaving of all who left, and `served` how many these were.
    """

    def __init__(self, env: simpy.Environment, places: int) -> None:
        self._env = env
        self._places = simpy.PriorityResource(env, places)
        self.busy = self.area = self.waited = 0.0
        self.here = self.served = 0
        self._since = env.now

    def serve(self, seconds: float, *, many: int = 1, shared: float = 0.0, first: bool = False) -> Process:
        """Wait for a place, and take it for so long, `many` as one.

        Each of the many takes `shared` besides, of which all that wait with it pay their part.
        """
        came = self._env.now
        self._count(many)
        with self._places.request(priority=0 if first else 1) as place:
            yield place
            taken = seconds + many * shared / max(1, self.here - many + 1)
            yield self._env.timeout(taken)
        self._count(-many)
        self.busy += taken
        self.waited += many * (self._env.now - came)
        self.served += many

    def _count(self, change: int) -> None:
        now = self._env.now
        self.area += self.here * (now - self._since)
        self.here, self._since = self.here + change, now


class _Hall:
    """One run of a plan."""

    def __init__(self, plan: Plan, costs: Costs, seed: int) -> None:
        self.plan, self.costs = plan, costs
        self.env = simpy.Environment()
        self.web = Station(self.env, 1)
        self.worker, self.client = Station(self.env, 1), Station(self.env, 1)
        self.line_in, self.line_out = Station(self.env, 1), Station(self.env, 1)
        self.grain = max(1, -(-plan.robots // MOST_ENTITIES))
        self._rng = np.random.default_rng(seed)
        self._open = [self.env.event() for _ in range(plan.rounds)]
        self._full = [self.env.event() for _ in range(plan.rounds)]
        self._arrived = [0] * plan.rounds
        self.looks = self.reasked = self.merging = self.gating = self.training = 0.0

    def run(self) -> Outcome:
        """All rounds."""
        left = self.plan.robots
        while left:
            many = min(self.grain, left)
            draws = self._rng.uniform(0.5, 1.5, self.plan.rounds) * self.plan.train_seconds
            self.env.process(self._robot(many, draws.tolist()))
            left -= many
        end = self.env.process(self._rounds())
        self.env.run(until=end)
        plan, seconds = self.plan, float(self.env.now)
        return Outcome(
            seconds=seconds,
            web=self.web.busy + self.reasked + self.costs.idle * seconds,
            looks=self.looks,
            merging=self.merging,
            gating=self.gating,
            training=self.training,
            received=plan.delta_bytes * plan.robots * plan.rounds,
            sent=plan.base_bytes * plan.robots * plan.rounds,
            line_in=self.line_in.busy,
            line_out=self.line_out.busy,
        )

    def _robot(self, many: int, trains: list[float]) -> Process:
        """So many alike robots, one behind the other wherever they are served."""
        plan, costs = self.plan, self.costs
        for number, seconds in enumerate(trains):
            came = self.env.now
            yield self._open[number]
            asked = int((self.env.now - came) / plan.hold_seconds)
            self.reasked += many * asked * costs.poll  # in the hub's time, but in nobody's way
            yield from self._use(costs.hold, costs.client_hold, many)
            yield from self.line_out.serve(many * self._on_line(plan.base_bytes))
            yield from self._use(costs.fetch(plan.base_bytes), costs.client_fetch(plan.base_bytes), many)
            yield self.env.timeout(seconds)
            self.training += many * seconds * plan.train_cores
            yield from self.line_in.serve(many * self._on_line(plan.delta_bytes))
            yield from self._use(costs.push(plan.delta_bytes), costs.client_push(plan.delta_bytes), many)
            self._arrived[number] += many
            if self._arrived[number] == plan.robots:
                self._full[number].succeed()

    def _on_line(self, size: float) -> float:
        return size / self.plan.link if self.plan.link else 0.0

    def _use(self, hub: float, client: float, many: int) -> Process:
        """The hub's time, and where all robots are in one process, that one's before it."""
        if self.plan.one_client:
            yield from self.client.serve(many * client)
        yield from self.web.serve(many * hub, many=many, shared=self.costs.commit)

    def _rounds(self) -> Process:
        plan, costs = self.plan, self.costs
        merge = costs.merge_start + plan.robots * costs.merge(plan.delta_bytes)
        gate = costs.gate_start + plan.episodes * costs.episode(plan.base_bytes)
        for number in range(plan.rounds):
            self._open[number].succeed()
            yield self.env.process(self._collect(number))
            yield from self.worker.serve(merge)
            yield from self.worker.serve(gate)
            yield from self.web.serve(costs.round)
            self.merging, self.gating = self.merging + merge, self.gating + gate

    def _collect(self, number: int) -> Process:
        """The engine looks at the round until all deltas are in; it shares the processor with requests.

        The longer that takes, the more looks go as one, each as robots do.
        """
        full, look, turns = self._full[number], self.costs.look(self.plan.robots), 0
        while not full.triggered:
            before, many = self._arrived[number], 1 + turns // ALONE
            yield from self.web.serve(many * look, first=True)
            self.looks += many * look
            turns += 1
            rest = LOOK_REST if self._arrived[number] > before else LOOK_SECONDS
            yield full | self.env.timeout(many * max(rest, look))


def simulate(plan: Plan, costs: Costs, seed: int) -> Outcome:
    """One hall."""
    return _Hall(plan, costs, seed).run()


def simulate_halls(plan: Plan, halls: int, costs: Costs, seed: int) -> tuple[Outcome, Outcome | None]:
    """What came of a hall above so many halls, and of one of these; `plan` is all robots' together.

    To the hall above, a hall is a robot that trains for as long as its own round takes. A single hall has
    none below.
    """
    if halls == 1:
        return simulate(plan, costs, seed), None
    hall = simulate(replace(plan, robots=-(-plan.robots // halls), rounds=1), costs, seed)
    above = replace(plan, robots=halls, train_seconds=hall.seconds, train_cores=0.0)
    return simulate(above, costs, seed + 1), hall
