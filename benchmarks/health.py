"""How well machines say when they wear: simulated arms in workshops that nobody tuned anything in.

`python -m benchmarks.health > benchmarks/results/health.md`: AUROC of single jobs and of means of five, by
the guild's covariance and by a robot's own; false alarms in healthy jobs; how long before success falls.
Limits and figures are the product's own (`fleet.health`); a task's controller drives.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from envs.nominal import NominalArm
from envs.scripted import proof
from envs.task import Task, load_task
from envs.vector import TaskVectorEnv
from envs.workshop import fresh_workshop
from fleet.cell.machine import NEW, Machine, Wear
from fleet.health.figures import Trace, figure_names, figures_of
from fleet.health.watch import HOME, Health, judged
from fleet.runtime.robot import Joints
from skills.health import Sums, distances, precision_of, shrunk_covariance
from skills.messages.health import HealthModel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FIRST_SEED = 61_000
"""Workshops from here on; those that anything was tuned in lie below."""
GUILD, TESTED = 8, 4
GUILD_JOBS, FEW = 60, 10
HEALTHY, WORN, LONG = 100, 40, 1000
TOGETHER = 5
COPIES = 50
GROWTH = 0.05
"""N m a job, in all joints."""
SUCCESS_WINDOW = 20
NOW = datetime(2026, 1, 1, tzinfo=UTC)

WEARS = {
    "friction +0.1 N m, all joints": Wear(friction=0.1),
    "friction +0.2 N m, all joints": Wear(friction=0.2),
    "friction +0.5 N m, all joints": Wear(friction=0.5),
    "friction +0.1 N m, one joint": Wear(friction=0.1, joint=2),
    "friction +0.2 N m, one joint": Wear(friction=0.2, joint=2),
    "friction +0.5 N m, one joint": Wear(friction=0.5, joint=2),
    "backlash 3 mm": Wear(backlash=0.003),
    "tool 1 mm aside": Wear(drift=0.001),
    "commands 1 period later": Wear(delay=1),
    "commands 2 periods later": Wear(delay=2),
}


@dataclass(frozen=True)
class Bench:
    """One kind of arm."""

    task: Task
    arm: NominalArm
    embodiment: str

    @classmethod
    @cache
    def of(cls, embodiment: str) -> Bench:
        """In `weld-seam`."""
        task = load_task("weld-seam")
        return cls(task, NominalArm(task, embodiment), embodiment)

    def jobs(self, workshop: int, seed: int, count: int, wear: Wear = NEW) -> tuple[Floats, Mask]:
        """Figures (count, d) and success (count,) of jobs in a workshop."""
        shop = fresh_workshop(self.task.file, self.embodiment, workshop)
        found: list[Floats] = []
        good: list[Mask] = []
        for part, begin in enumerate(range(0, count, COPIES)):
            copies = min(COPIES, count - begin)
            own = wear
            if isinstance(wear.friction, np.ndarray):
                own = replace(wear, friction=wear.friction[begin : begin + copies])
            rows, success = self._part(TaskVectorEnv(self.task, shop, copies), [workshop, seed, part], own)
            found.append(rows)
            good.append(success)
        return np.concatenate(found), np.concatenate(good)

    def _part(self, env: TaskVectorEnv, seed: list[int], wear: Wear) -> tuple[Floats, Mask]:
        machine = Machine(env, np.random.default_rng(seed))
        machine.wear = wear
        machine.begin()
        seen, _ = env.reset(seed=int(np.random.default_rng(seed).integers(2**31)))
        player, count = proof(self.task), env.num_envs
        if player is None:
            raise SystemExit("the task has no controller")
        player = player.begin()
        traces = [Trace() for _ in range(count)]
        running, success = np.ones(count, np.bool_), np.zeros(count, np.bool_)
        self._sense(machine, traces, running, 0.0)
        for step in range(env.horizon):
            actions = np.asarray(player.act(machine.sensed(seen)), np.float32)
            seen, _, failed, ended, infos = env.step(machine.acted(actions))
            for trace, action, runs in zip(traces, actions, running, strict=True):
                if runs:
                    trace.sent.append(action.astype(np.float64))
            self._sense(machine, traces, running, (step + 1) * self.arm.period)
            if "success" in infos:
                success |= running & infos["success"]
            running &= ~(failed | ended)
        rows = [figures_of(trace, self.arm) for trace in traces]
        known = np.array([row is not None for row in rows])
        wide = np.array([np.full(2 * self.arm.joints + 2, np.nan) if row is None else row for row in rows])
        return np.where(known[:, None], wide, np.nan), success

    @staticmethod
    def _sense(machine: Machine, traces: list[Trace], running: Mask, time: float) -> None:
        sensed = machine.joints()
        for number, trace in enumerate(traces):
            if running[number]:
                trace.times.append(time)
                trace.joints.append(Joints(*sensed[:, number]))


@dataclass(frozen=True)
class Seed:
    """What one set of workshops gave."""

    auroc: dict[tuple[str, str, int], float]
    alarms: tuple[int, int]
    lone_alarms: tuple[int, int]
    leads: list[tuple[int | None, int | None]]


def measure(bench: Bench, number: int) -> Seed:
    """A guild of robots, others that are tested by what it knows; each in a workshop of its own."""
    first = FIRST_SEED + 100 * number
    model = guild_model(bench, first)
    scores: dict[tuple[str, str, int], list[float]] = {}
    alarms, lone, healthy = 0, 0, 0
    leads = []
    for shop in range(first + GUILD, first + GUILD + TESTED):
        usual, _ = bench.jobs(shop, 1, FEW + HEALTHY)
        known = yardsticks(usual[:FEW], model)
        for name, wear in WEARS.items():
            worn, _ = bench.jobs(shop, 2, WORN, wear)
            for way, precision in known.items():
                for together in (1, TOGETHER):
                    far = [
                        distances(means(jobs, together), usual[:FEW].mean(axis=0), precision, home=FEW)
                        for jobs in (usual[FEW:], worn)
                    ]
                    scores.setdefault((name, way, together), []).append(auroc(*far))
        calm, _ = bench.jobs(shop, 3, HOME + LONG)
        alarms += count_alarms(bench, calm, model)
        lone += count_alarms(bench, calm, None)
        healthy += LONG
        leads.append(lead(bench, shop, model))
    found = {key: float(np.mean(each)) for key, each in scores.items()}
    return Seed(found, (alarms, healthy), (lone, healthy), leads)


def guild_model(bench: Bench, first: int) -> HealthModel:
    """Merged sums of the guild's robots, each less its own centre."""
    names = figure_names(bench.arm.joints)
    sums = Sums.none(len(names))
    for shop in range(first, first + GUILD):
        jobs, _ = bench.jobs(shop, 0, GUILD_JOBS)
        sums = sums.merged(Sums.of(jobs - jobs[:HOME].mean(axis=0)))
    return HealthModel.of(sums, GUILD, bench.task.file.name, bench.embodiment, names)


def yardsticks(few: Floats, model: HealthModel) -> dict[str, Floats]:
    """Precisions (d, d) by who knows what is usual."""
    return {
        "guild": precision_of(model.covariance),
        "own": np.asarray(np.linalg.pinv(np.cov(few.T), rcond=1e-10), np.float64),
        "own, shrunk": precision_of(shrunk_covariance(few)),
    }


def means(jobs: Floats, together: int) -> Floats:
    """Of so many jobs that follow each other."""
    whole: Floats = jobs[: len(jobs) // together * together].reshape(-1, together, jobs.shape[1]).mean(axis=1)
    return whole


def auroc(healthy: Floats, worn: Floats) -> float:
    """Chance that a worn job is farther off than a healthy one; ties count half."""
    apart = worn[:, None] - healthy[None]
    return float(np.mean((apart > 0) + 0.5 * (apart == 0)))


def alarms_of(bench: Bench, jobs: Floats, model: HealthModel | None) -> Iterator[bool]:
    """After each job that follows those at home: whether it alarms; then it begins anew from there."""
    names, health = figure_names(bench.arm.joints), Health()
    for row in jobs:
        health = judged(health, names, row, model, NOW)
        if health.state.jobs == 0:
            continue
        yield (alarmed := health.state.worn_since is not None)
        if alarmed:
            quiet = health.state.model_copy(update={"worn_since": None, "height": 0.0})
            update = {"state": quiet, "apart": (0.0,) * len(names)}
            health = health.model_copy(update=update)


def count_alarms(bench: Bench, jobs: Floats, model: HealthModel | None) -> int:
    """In jobs of which the first ones are at home."""
    return sum(alarms_of(bench, jobs, model))


def lead(bench: Bench, shop: int, model: HealthModel) -> tuple[int | None, int | None]:
    """Jobs of growing friction until the alarm, and until success is a tenth below what it was."""
    home, good = bench.jobs(shop, 4, HOME + SUCCESS_WINDOW)
    grown = GROWTH * np.arange(1, 6 * COPIES + 1, dtype=np.float64)
    worn, success = bench.jobs(shop, 5, len(grown), Wear(friction=grown))
    rolling = np.convolve(success, np.full(SUCCESS_WINDOW, 1 / SUCCESS_WINDOW), "valid")
    low = np.flatnonzero(rolling < 0.9 * good.mean())
    fails = int(low[0]) + SUCCESS_WINDOW if len(low) else None
    told = worn[~np.isnan(worn).any(axis=1)]
    alarm = next(
        (
            n + 1
            for n, alarmed in enumerate(alarms_of(bench, np.concatenate([home[:HOME], told]), model))
            if alarmed
        ),
        None,
    )
    return alarm, fails


def interval(values: list[float]) -> str:
    """Mean over seeds, with a 95 % interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:.3f}"
    t = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}.get(len(values), 2.0)
    half = t * float(np.std(values, ddof=1)) / np.sqrt(len(values))
    return f"{mean:.3f} ± {half:.3f}"


def report(embodiment: str, seeds: list[Seed]) -> str:
    """The tables of one embodiment."""
    ways = ("guild", "own, shrunk", "own")
    lines = [
        f"## {embodiment}, {len(seeds)} seeds: {GUILD} robots in the guild, {TESTED} others tested",
        "",
        "| wear | "
        + " | ".join(f"{way}, {n} job{'s' * (n > 1)}" for n in (1, TOGETHER) for way in ways)
        + " |",
        "|---|" + "---|" * (2 * len(ways)),
    ]
    for name in WEARS:
        cells = [interval([s.auroc[name, way, n] for s in seeds]) for n in (1, TOGETHER) for way in ways]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    false, jobs = (sum(s.alarms[n] for s in seeds) for n in (0, 1))
    lone = sum(s.lone_alarms[0] for s in seeds)
    leads = [pair for s in seeds for pair in s.leads]
    told = sorted(alarm for alarm, _ in leads if alarm is not None)
    both = sorted(fails - alarm for alarm, fails in leads if alarm is not None and fails is not None)
    lines += [
        "",
        (
            f"False alarms in {jobs:,} healthy jobs by the guild's covariance: {false} "
            f"({1000 * false / jobs:.2f} in 1,000); by the robot's own of {HOME} jobs: {lone} "
            f"({1000 * lone / jobs:.2f} in 1,000)."
        ),
        "",
        f"Friction that grows by {GROWTH} N m a job in all joints: the alarm comes after {told[0]} to "
        f"{told[-1]} jobs "
        f"(median {told[len(told) // 2]}) on {len(told)} of {len(leads)} robots; "
        + (
            f"success is a tenth lower {both[0]} to {both[-1]} jobs (median {both[len(both) // 2]}) after "
            f"that, on "
            f"{len(both)} of {len(leads)} robots."
            if both
            else "success had not fallen by the end."
        ),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--embodiments", nargs="+", default=["ur5e"])
    given = parser.parse_args()
    print(
        "# Machines that say when they wear\n\n"
        "Made by `python -m benchmarks.health`; docs/health.md says what it means.\n"
    )
    for embodiment in given.embodiments:
        bench = Bench.of(embodiment)
        seeds = []
        for number in range(given.seeds):
            seeds.append(measure(bench, number))
            print(f"{embodiment} {number}: {seeds[-1].alarms} {seeds[-1].leads}", file=sys.stderr, flush=True)
        print(report(embodiment, seeds), flush=True)


if __name__ == "__main__":
    main()
