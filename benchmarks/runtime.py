"""What the robot's loop costs, and how punctual it is; the table is in results/runtime.md.

The loop's own processor time a period with a policy of two layers of 64, beside the policy's alone; then real
time at 50, 250 and 500 Hz, once with nothing else to do and once with a busy process on every core.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from pathlib import Path

import numpy as np

from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Clock, Loop, Monotonic
from fleet.runtime.robot import Numbers, Observed
from skills.policy import Policy
from skills.skill import Skill
from zunft.new_skill import new_skill

FILE = Path("benchmarks/results/runtime.md")
RATES = (50.0, 250.0, 500.0)
SECONDS = 10.0
PERIODS = 20_000
LIMITS = Limits(slew={"velocity": 5.0}, jerk={"velocity": 500.0})


class Instant:
    """A robot that costs nothing."""

    def __init__(self, inputs: int, clock: Clock) -> None:
        self._numbers, self._clock = np.zeros(inputs, np.float32), clock

    def connect(self) -> None:
        """Nothing."""

    def observe(self) -> Observed:
        """At rest."""
        return Observed(self._numbers, self._clock.now())

    def send(self, action: Numbers) -> Numbers:
        """As asked."""
        return action

    def hold(self) -> None:
        """Nothing."""

    def disconnect(self) -> None:
        """Nothing."""


class Skipping:
    """Time that jumps to the next deadline, for cost alone."""

    def __init__(self) -> None:
        self._time = 0.0

    def now(self) -> float:
        """Seconds."""
        return self._time

    def sleep_until(self, moment: float) -> None:
        """At once."""
        self._time = max(self._time, moment)


class Punctual(Counters):
    """Remembers how late each period was."""

    def __init__(self) -> None:
        super().__init__()
        self.lateness: list[float] = []
        self.missed = 0

    def period(self, late: float) -> None:
        """See `Counters`."""
        super().period(late)
        self.lateness.append(late)

    def left_out(self, count: int) -> None:
        """See `Counters`."""
        super().left_out(count)
        self.missed += count


def main() -> None:
    """Measure, print and write the table."""
    skill = new_skill("weld-seam", seed=0)
    lines = [*_cost(skill), "", *_punctuality(skill)]
    text = "\n".join(["# The robot's loop", "", *_about(), "", *lines, ""])
    FILE.write_text(text)
    print(text)


def _about() -> list[str]:
    return [
        f"`python -m benchmarks.runtime` on {os.cpu_count()} cores ({platform.machine()}), no real-time",
        "kernel; a policy of two layers of 64, limits on slew and jerk, a robot that answers at once.",
    ]


def _cost(skill: Skill) -> list[str]:
    contract, policy = skill.manifest.contract, Policy(skill)
    seen = np.zeros(contract.observation_size, np.float32)
    alone, whole = [], []
    for _ in range(5):  # in turns, so that a busy moment hits both
        begun = time.process_time()
        for _ in range(PERIODS // 5):
            policy.act(seen)
        alone.append(time.process_time() - begun)
        clock = Skipping()
        loop = Loop(Instant(len(seen), clock), contract, LIMITS, clock, Counters())
        begun = time.process_time()
        loop.do_job(policy, PERIODS // 5)
        whole.append(time.process_time() - begun)
    each = [1e6 * 5 * float(np.median(found)) / PERIODS for found in (alone, whole)]
    policy_alone, both = each
    said = f"Processor time a period: {both:.0f} us, of which {policy_alone:.0f} us are the policy;"
    return [f"{said} the loop's own are {both - policy_alone:.0f} us (aim: 150)."]


def _punctuality(skill: Skill) -> list[str]:
    rows = [
        "| rate | cores | periods | late by, median | 99 % | worst | left out |",
        "|---|---|---|---|---|---|---|",
    ]
    for busy in (False, True):
        others = [multiprocessing.Process(target=_work, daemon=True) for _ in range(os.cpu_count() or 1)]
        if busy:
            for each in others:
                each.start()
        rows.extend(_row(skill, rate, "busy" if busy else "as they are") for rate in RATES)
        if busy:
            for each in others:
                each.kill()
    return rows


def _row(skill: Skill, rate: float, cores: str) -> str:
    contract = skill.manifest.contract.model_copy(update={"control_hz": rate})
    clock, counters = Monotonic(), Punctual()
    loop = Loop(Instant(contract.observation_size, clock), contract, LIMITS, clock, counters)
    loop.do_job(Policy(skill), int(SECONDS * rate))
    late = 1e3 * np.array(counters.lateness)
    middle, most = np.quantile(late, [0.5, 0.99])
    return (
        f"| {rate:.0f} Hz | {cores} | {len(late)} | {middle:.2f} ms | {most:.2f} ms | {late.max():.2f} ms | "
        f"{counters.missed} |"
    )


def _work() -> None:
    number = 0.0
    while True:
        number += 1.0


if __name__ == "__main__":
    main()
