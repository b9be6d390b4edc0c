"""`zunft robot drive`: a robot works with the version that it has in use, job by job.

A new version, which `fleet.adoption` has tried in the twin, is taken between two jobs, in the maintenance
window and while the robot is not busy; or the one that waits is tried slowly while somebody watches. A stop
lasts, also after a restart, until a person releases the robot. Nothing here speaks to a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from fleet.reporting import count_job, driven
from fleet.robot_folder import RobotFolder, SkillInUse
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Clock, Job, Loop, Outcome
from fleet.runtime.robot import Robot
from fleet.runtime.stop import check_released, keep_stop
from fleet.updates import Updates, waiting_version
from skills.errors import ConflictError, NotFoundError
from skills.manifest import Contract
from skills.player import Player
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Driven", "drive"]

PATIENCE = 2
"""A job is given up after so many times the task's horizon."""
GOOD: dict[Outcome, bool | None] = {
    "done": True,
    "failed": False,
    "too long": False,
    "stopped": False,
    "unknown": None,
    "ended": None,
}
"""Which outcomes speak for a version, and which against it."""


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
    make_player: Callable[[Skill], Player] = Policy,
    speed: float | None = None,
    local_time: Callable[[], datetime] = lambda: datetime.now(UTC).astimezone(),
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
        make_player: What acts by a skill.
        speed: None: the version in use works. Else the one that waits, at this share of its speed.
        local_time: The robot's time of day, for the maintenance window.
        tell: Told of each job.
        is_over: Asked each period.

    Raises:
        ConflictError: The robot is stopped, and nobody has released it; or another process drives it.
        ArtefactError: The owner's settings cannot be read.
        NotFoundError: It has no version in use, or none that waits.
        RobotError: It cannot be connected.
    """
    check_released(bench)
    choose = partial(_in_use if speed is None else _waiting, bench, name, contract)
    used, share, skill = choose()  # said before anything is connected
    limits, updates = bench.policy("runtime", Limits), bench.policy("update", Updates)
    longest = int(PATIENCE * horizon / (speed or 1.0))
    done: list[Driven] = []
    with bench.locked("drive"), driven(bench, name), _connected(robot):
        loop = Loop(robot, contract, limits, clock, counters, is_over=is_over, speed=speed or 1.0)
        while not is_over() and _goes_on(done, jobs):
            free = done and not done[-1].job.busy
            if free and updates.may_swap(bench.memory(name), used.version, local_time()):
                used, share, skill = choose()
            before, job = counters.guards(), loop.do_job(make_player(skill), longest)
            if loop.standing.state == "stopped":
                keep_stop(bench, loop.standing.reason)
            good = GOOD[job.outcome] if speed is None else None  # slowly, a job says little of a version
            count_job(bench, name, used.version, done=good, guards=_since(before, counters.guards()))
            done.append(Driven(used.version, used.digest, share, job))
            tell(done[-1])
    return done


@contextmanager
def _connected(robot: Robot) -> Iterator[None]:
    robot.connect()
    try:
        yield
    finally:
        robot.disconnect()


def _goes_on(done: list[Driven], jobs: int) -> bool:
    """Whether another job is wanted, and may be."""
    over = bool(done) and done[-1].job.outcome in {"stopped", "ended"}
    return not over and (jobs == 0 or len(done) < jobs)


def _since(before: dict[str, int], now: dict[str, int]) -> dict[str, int]:
    return {each: count - before.get(each, 0) for each, count in now.items()}


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
    _check_fit(found, contract)
    return used, tuned[0].share if tuned else 0.0, found


def _waiting(bench: RobotFolder, name: str, contract: Contract) -> tuple[SkillInUse, float, Skill]:
    """The version that waits; never with what was tuned for another."""
    waiting = waiting_version(bench, name)
    found = bench.skill(waiting.digest)
    if found is None:
        raise NotFoundError(
            f"the file of version {waiting.version} is gone.",
            where="robot",
            remedy="zunft robot run fetches it.",
        )
    _check_fit(found, contract)
    return waiting, 0.0, found


def _check_fit(skill: Skill, contract: Contract) -> None:
    differences = contract.differences(skill.manifest.contract)
    if differences:
        raise ConflictError(
            f"the version does not fit this robot: {'; '.join(differences)}.",
            where="manifest.contract",
            remedy="Look which version is in use: zunft robot status.",
        )
