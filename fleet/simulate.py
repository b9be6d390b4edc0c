"""A simulated fleet: many robots, each with its own key, folder and workshop, on a crew of workers.

To the hub they are robots like any other. Each worker lets its robots take turns. Starting a
campaign for them is an operator's business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from envs.task import Task
from envs.workshop import Workshop, fleet_workshops
from fleet.abilities import abilities_of
from fleet.agent import Agent, AgentSettings, take_turns
from fleet.membership import connect, join
from fleet.progress import Progress
from fleet.robot_folder import RobotFolder
from fleet.tasks import find_task, kept_tasks
from fleet.workers.crew import Crew, Line
from skills.manifest import Name

__all__ = ["FleetPlan", "RobotPlan", "draw_robots", "simulate"]

SIMULATED = AgentSettings(poll_seconds=0.2, look_seconds=1.0, backoff_seconds=0.2, backoff_cap=5.0)


@dataclass(frozen=True)
class RobotPlan:
    """One simulated robot.

    Attributes:
        name: At the hub, and of its folder.
        workshop: Its twin is its reality.
        token: Enrols it when it has not joined yet.
    """

    name: str
    workshop: Workshop
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class FleetPlan:
    """Robots that work on one skill of one hub.

    Attributes:
        hub: Address.
        skill: In the hub's catalogue; its task has the same name.
        robots: All of them.
        home: Where each keeps its folder.
        seed: Robot i trains with seed + i.
        episodes: Of a rehearsal in the twin.
        agent: How robots behave towards the hub.
    """

    hub: str
    skill: Name
    robots: tuple[RobotPlan, ...]
    home: Path
    seed: int = 0
    episodes: int = 32
    agent: AgentSettings = SIMULATED


def simulate(
    plan: FleetPlan,
    crew: Crew,
    on_progress: Callable[[Progress], None],
    until: Callable[[], bool] = lambda: False,
) -> dict[str, Progress]:
    """Run the fleet until the caller has seen enough.

    Args:
        plan: Who works on what.
        crew: Robot i runs on worker i modulo their number.
        on_progress: Told of everything that robots do.
        until: Asked a few times a second; once true, robots end their iteration, look once for a new
            stable version and stop.

    Returns:
        The last that each robot said, by its name.

    Raises:
        WorkerDiedError: Says which robots were lost.
        ZunftError: What stopped a robot for good, such as a hub that does not know it.
    """
    last: dict[str, Progress] = {}

    def listen(progress: Progress) -> None:
        last[progress.robot] = progress
        on_progress(progress)

    numbers = range(len(plan.robots))
    shards = [shard for place in range(crew.size) if (shard := tuple(numbers[place :: crew.size]))]
    labels = ["robots " + ", ".join(plan.robots[number].name for number in shard) for shard in shards]
    crew.run(_run, [(plan, shard) for shard in shards], labels=labels, on_progress=listen, until=until)
    return last


def draw_robots(task: Task, tokens: Sequence[str], seed: int) -> tuple[RobotPlan, ...]:
    """One robot a token, each in a workshop of its own."""
    workshops = fleet_workshops(task.file, len(tokens), seed)
    return tuple(
        RobotPlan(f"robot-{number:03d}-{workshop.embodiment}", workshop, token)
        for number, (workshop, token) in enumerate(zip(workshops, tokens, strict=True))
    )


def _run(line: Line, plan: FleetPlan, numbers: tuple[int, ...]) -> None:
    benches = [RobotFolder(plan.home / plan.robots[number].name) for number in numbers]
    with ExitStack() as locks:
        for bench in benches:
            locks.enter_context(bench.locked())
        agents = [_agent(line, plan, *each) for each in zip(numbers, benches, strict=True)]
        take_turns(agents, line.stopped, line.wait)
        for agent in agents:
            agent.look()


def _agent(line: Line, plan: FleetPlan, number: int, bench: RobotFolder) -> Agent:
    robot = plan.robots[number]
    identity = join(bench, plan.hub, token=robot.token, name=robot.name, embodiment=robot.workshop.embodiment)
    hub = connect(bench)
    task = find_task(bench, hub, plan.skill)
    from fleet.twin import TwinPlace  # noqa: PLC0415 - RLlib is for workers, not for their parent

    return Agent(
        plan.skill,
        identity,
        bench,
        hub,
        TwinPlace(
            task,
            robot.workshop,
            seed=plan.seed + number,
            episodes=plan.episodes,
            bench=bench,
        ),
        plan.agent,
        abilities=abilities_of(identity.embodiment, kept=kept_tasks(bench)),
        rng=np.random.default_rng([plan.seed, number]),
        report=line.report,
        stopped=line.stopped,
    )
