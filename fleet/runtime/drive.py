"""`zunft robot drive`: a robot works with the version that it has in use, job by job.

A new version, which `fleet.adoption` has tried in the twin, is taken between two jobs. A robot that stopped
stays so, also after a restart, until a person releases it. Nothing here speaks to a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fleet.robot_folder import RobotFolder, SkillInUse
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Clock, Job, Loop
from fleet.runtime.robot import Robot
from fleet.runtime.stop import check_released, keep_stop
from skills.errors import ConflictError, NotFoundError
from skills.manifest import Contract
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Driven", "drive"]

PATIENCE = 2
"""A job is given up after so many times the task's horizon."""


@dataclass(frozen=True)
class Driven:
    """One job, the version that did it, and the share of what the robot tuned for itself in it."""

    version: int
    digest: str
    share: float
    job: Job


def drive(
    bench: RobotFolder,
    name: str,
    robot: Robot,
    contract: Contract,
    clock: Clock,
    counters: Counters,
    *,
    jobs: int,
    horizon: int,
    tell: Callable[[Driven], None] = lambda _: None,
    is_over: Callable[[], bool] = lambda: False,
) -> list[Driven]:
    """Do jobs until there are enough, the robot stops, or somebody wants it to end; it holds at the end.

    Args:
        bench: Says which version is in use and what the owner allows (`[runtime]`), and keeps a stop.
        name: The skill's.
        robot: Connected here, and disconnected.
        contract: What the robot serves.
        clock: The time.
        counters: Told of everything.
        jobs: How many; 0: without end.
        horizon: Periods of a job, usually.
        tell: Told of each job.
        is_over: Asked each period.

    Raises:
        ConflictError: The robot is stopped, and nobody has released it; or another process drives it.
        ArtefactError: The owner's limits cannot be read.
        NotFoundError: It has no version in use.
        RobotError: It cannot be connected.
    """
    check_released(bench)
    _in_use(bench, name, contract)  # said before anything is connected
    limits = bench.policy("runtime", Limits)
    done: list[Driven] = []
    with bench.locked("drive"), _connected(robot):
        loop = Loop(robot, contract, limits, clock, counters, is_over=is_over)
        while not is_over() and (jobs == 0 or len(done) < jobs):
            used, share, skill = _in_use(bench, name, contract)
            job = loop.do_job(Policy(skill), PATIENCE * horizon)
            if loop.standing.state == "stopped":
                keep_stop(bench, loop.standing.reason)
            done.append(Driven(used.version, used.digest, share, job))
            tell(done[-1])
            if job.outcome in {"stopped", "ended"}:
                break
    return done


@contextmanager
def _connected(robot: Robot) -> Iterator[None]:
    robot.connect()
    try:
        yield
    finally:
        robot.disconnect()


def _in_use(bench: RobotFolder, name: str, contract: Contract) -> tuple[SkillInUse, float, Skill]:
    """The version in use, how much of the robot's own tuning is in what it works with, and that."""
    used = bench.memory(name).in_use
    tuned = bench.personal_skill(name, used.digest) if used else None
    found = tuned[1] if tuned else bench.skill(used.digest) if used else None
    if used is None or found is None:
        raise NotFoundError(
            f"this robot has no version of {name} in use.",
            where="robot",
            remedy="Let it take one: zunft robot run; it tries each in its twin first.",
        )
    differences = contract.differences(found.manifest.contract)
    if differences:
        raise ConflictError(
            f"the version in use does not fit this robot: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Look which version is in use: zunft robot status.",
        )
    return used, tuned[0].share if tuned else 0.0, found
