"""What rounds cost beside training: `python -m benchmarks.rounds [--rounds 8]`, some minutes on two cores.

Robots of weld-seam in two worker processes and a hub, as in the demo; what is compared takes turns in one
run. Shares and ratios are of wall time, starts of processor time.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from benchmarks.training import describe_machine
from envs.task import load_task
from envs.workshop import fleet_workshops
from fleet.client import OperatorClient
from fleet.local_training import train_all_alone
from fleet.progress import Progress
from fleet.simulate import FleetPlan, RobotPlan, simulate
from fleet.workers.crew import Crew
from fleet.workers.processes import Processes
from skills.messages.campaigns import CampaignRequest, CampaignView
from skills.messages.plans import GatePlan, TrainingPlan
from skills.messages.robots import EnrolmentTokenRequest
from skills.skill import Skill
from zunft.hub_process import HubProcess, run_hub
from zunft.new_skill import new_skill

TASK = "weld-seam"
ROBOTS, PROCESSES = 4, 2
MANY, IN_MEMORY = (4, 8, 16), 64
WARM = 2  # first rounds that are left out: workers load, kernels compile
FIRST_STEP = """
import os, sys, fleet.twin
def first_step(stopped):
    print(sum(os.times()[:2]))
    sys.stdout.flush()
    os._exit(0)
fleet.twin._check_wanted = first_step
from zunft.__main__ import main
main()
"""
"""A robot that ends at its first step of training and says what it took of a processor until then."""


@dataclass
class Watch:
    """When robots said what, in seconds of the system's clock."""

    said: list[tuple[float, Progress]] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        """Note it."""
        self.said.append((time.time(), progress))

    def begun(self, number: int) -> float:
        """When the first robot was at work on a round."""
        return min(at for at, each in self.said if each.round == number)

    def training(self, number: int) -> float:
        """Seconds of training in a round, of all robots together."""
        found: dict[str, list[float]] = {}
        for at, each in self.said:
            if each.round == number and each.phase in {"training", "kept"}:
                found.setdefault(each.robot, []).append(at)
        return sum(times[-1] - times[0] for times in found.values())


@dataclass(frozen=True)
class Learned:
    """What came of a campaign, from its third round to the beginning of its last.

    Attributes:
        seconds: Of a round that gave a candidate.
        share: Of the processes' time that robots trained.
        heard: Seconds from the opening of a round until the first robot was at work on it.
        gate: Seconds of a measurement.
        scores: What the gate found, by round.
    """

    seconds: float
    share: float
    heard: float
    gate: float
    scores: list[float]


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    said = parser.parse_args()
    print(f"{describe_machine()}; {ROBOTS} robots of {TASK} in {PROCESSES} processes")
    print_starts()
    for iterations in (TrainingPlan().iterations, 1):
        print_rounds(said.rounds, said.turns, TrainingPlan(iterations=iterations))
    print_many(said.turns)
    print_memory()


def print_starts() -> None:
    """Processor time of a command's help, and of a robot until its first step."""
    code = "import os; from zunft.cli import app\ntry: app(['--help'])\nfinally: print(sum(os.times()[:2]))"
    print(f"zunft --help: {last_line([sys.executable, '-c', code]):.2f} s of a processor", flush=True)
    with guild() as (hub, operator, home):
        operator.publish_skill(new_skill(TASK, seed=0))
        operator.start_campaign(order(TrainingPlan(), 1))
        robot = [sys.executable, "-m", "zunft", "robot"]
        token = operator.create_tokens(EnrolmentTokenRequest())[0].token
        join = ["join", "--hub", hub.url, "--token", token, "--name", "one", "--embodiment", "ur5e"]
        subprocess.run([*robot, *join, "--home", str(home)], check=True, capture_output=True)  # noqa: S603
        command = [sys.executable, "-c", FIRST_STEP, "robot", "run", "--home", str(home)]
        times = [last_line(command) for _ in range(3)]
    print(f"a robot's process to its first step: {min(times):.2f} s of a processor", flush=True)


def last_line(command: list[str]) -> float:
    """The number that a program says last."""
    ran = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return float(ran.stdout.split()[-1])


def print_rounds(rounds: int, turns: int, plan: TrainingPlan) -> None:
    """Learning alone, rounds that wait for their gate, and rounds that do not, in turn."""
    print(f"\n{plan.iterations} iterations a round, {rounds} rounds")
    print(f"{'':16} {'a round':>8} {'alone':>8} {'ratio':>6} {'training':>9} {'heard after':>12} {'gate':>8}")
    for turn in range(turns):
        alone = learn_alone(rounds, plan)
        for way in ("together", "together, ahead"):
            found = learn_together(rounds, plan, ahead="ahead" in way, seed=turn)
            print(
                f"{way:16} {found.seconds:6.2f} s {alone:6.2f} s {found.seconds / alone:5.2f}x"
                f" {found.share:9.2f} {found.heard * 1e3:9.0f} ms {found.gate:6.2f} s; scores "
                + " ".join(f"{score:.2f}" for score in found.scores),
                flush=True,
            )


def print_many(turns: int) -> None:
    """Steps a second of many robots in two processes, against twice those of one in one."""
    plan = TrainingPlan(iterations=4)
    ratios: dict[int, list[float]] = {count: [] for count in MANY}
    for _ in range(turns):
        one = robots_per_second(1, 1, plan)
        for count in MANY:
            ratios[count].append(robots_per_second(count, PROCESSES, plan) / (2 * one))
    print()
    for count, found in ratios.items():
        print(f"{count} robots in {PROCESSES} processes: {median(found):.2f} of twice one in one", flush=True)


def robots_per_second(count: int, processes: int, plan: TrainingPlan) -> float:
    """Rounds of training alone, of all robots, after one to warm up."""
    skill = new_skill(TASK, seed=0)
    with Crew(Processes(processes)) as crew:
        train_all_alone(crew, fleet(processes), skill, TrainingPlan(iterations=1), 1, lambda _: None)
        start = time.perf_counter()
        train_all_alone(crew, fleet(count), skill, plan, 1, lambda _: None)
        return count / (time.perf_counter() - start)


def print_memory() -> None:
    """Peak memory of hub, workers and many robots' worth of training."""
    with guild() as (hub, operator, home), Crew(Processes(PROCESSES)) as crew:
        learn(hub, operator, home, crew, order(TrainingPlan(iterations=1), 1, robots=IN_MEMORY), IN_MEMORY)
        children = Path("/proc/self/task").glob("*/children")
        pids = {pid for each in children for pid in each.read_text().split()} - {str(hub.pid)}
        robots, rest = sum(map(peak_mb, pids)), hub.peak_memory_mb()
    print(f"\n{IN_MEMORY} robots in {PROCESSES} processes: {robots:,.0f} MB; the hub {rest:,.0f} MB")


def peak_mb(pid: str) -> float:
    """Largest resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def learn_alone(rounds: int, plan: TrainingPlan) -> float:
    """Seconds for what is a round's training of all robots."""
    skill = new_skill(TASK, seed=0)
    with Crew(Processes(PROCESSES)) as crew:
        train_all_alone(crew, fleet(PROCESSES), skill, TrainingPlan(iterations=1), 1, lambda _: None)
        start = time.perf_counter()
        train_all_alone(crew, fleet(ROBOTS), skill, plan, rounds - WARM, lambda _: None)
        return (time.perf_counter() - start) / (rounds - WARM)


def learn_together(rounds: int, plan: TrainingPlan, *, ahead: bool, seed: int) -> Learned:
    """A campaign's rounds."""
    with guild() as (hub, operator, home), Crew(Processes(PROCESSES)) as crew:
        wanted = order(plan, rounds).model_copy(update={"ahead": ahead})
        campaign, watch = learn(hub, operator, home, crew, wanted, ROBOTS, seed)
    begun = {each.number: watch.begun(each.number) for each in campaign.rounds[WARM:]}
    *counted, last = campaign.rounds[WARM:]
    seconds = begun[last.number] - begun[counted[0].number]
    training = sum(watch.training(each.number) for each in counted)
    return Learned(
        seconds=seconds / sum(each.candidate is not None for each in counted),
        share=training / PROCESSES / seconds,
        heard=median(begun[each.number] - each.opened_at.timestamp() for each in counted),
        gate=median(each.metrics.get("gate_seconds", 0.0) for each in counted),
        scores=[each.gate.candidate.score for each in campaign.rounds if each.gate],
    )


def learn(
    hub: HubProcess,
    operator: OperatorClient,
    home: Path,
    crew: Crew,
    wanted: CampaignRequest,
    robots: int,
    seed: int = 0,
) -> tuple[CampaignView, Watch]:
    """Let a campaign run to its end: how it ended, and what robots said."""
    first: Skill = new_skill(TASK, seed=seed)
    operator.publish_skill(first)
    tokens = operator.create_tokens(EnrolmentTokenRequest(count=robots))
    plan = fleet(robots, seed)
    named = tuple(replace(robot, token=token.token) for robot, token in zip(plan.robots, tokens, strict=True))
    campaign, watch = operator.start_campaign(wanted), Watch()

    def is_over() -> bool:
        return operator.campaign(campaign.campaign_id).state != "running"

    simulate(replace(plan, hub=hub.url, home=home, robots=named), crew, watch, until=is_over)
    return operator.campaign(campaign.campaign_id), watch


def order(plan: TrainingPlan, rounds: int, *, robots: int = ROBOTS) -> CampaignRequest:
    """As the demo's."""
    arms = tuple(dict.fromkeys(robot.workshop.embodiment for robot in fleet(ROBOTS).robots))
    return CampaignRequest(
        skill=TASK,
        rounds=rounds,
        quorum=robots,
        target=robots,
        training=plan,
        gate=GatePlan(embodiments=arms),
    )


def fleet(count: int, seed: int = 0) -> FleetPlan:
    """So many robots, each in a workshop of its own."""
    shops = fleet_workshops(load_task(TASK).file, count)
    robots = tuple(RobotPlan(f"robot-{number}", shop) for number, shop in enumerate(shops))
    return FleetPlan(hub="", skill=TASK, robots=robots, home=Path(), seed=seed)


@contextmanager
def guild() -> Iterator[tuple[HubProcess, OperatorClient, Path]]:
    """A new hub, its operator, and a folder for robots."""
    with tempfile.TemporaryDirectory() as name, run_hub(Path(name) / "hub") as hub:
        yield hub, OperatorClient.open(hub.url, hub.admin_token), Path(name) / "robots"


if __name__ == "__main__":
    main()
