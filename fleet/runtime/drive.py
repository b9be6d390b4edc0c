"""`zunft robot drive`: a robot works with the version that it has in use, job by job.

A new version, which `fleet.adoption` has tried in the twin, is taken between two jobs. A robot that stopped
stays so, also after a restart, until a person releases it. Nothing here speaks to a hub.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet.reporting import count_job, driven
from fleet.robot_folder import RobotFolder, SkillInUse
from fleet.runtime.counters import Counters
from fleet.runtime.guards import Limits
from fleet.runtime.loop import Clock, Job, Loop, Outcome
from fleet.runtime.robot import Robot
from fleet.runtime.state import Standing
from skills.errors import ConflictError, NotFoundError
from skills.files import write_atomically
from skills.manifest import Contract
from skills.policy import Policy
from skills.skill import Skill

__all__ = ["Driven", "drive", "release", "stop_of"]

REASON_LIMIT = 4096
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
    if reason := stop_of(bench):
        raise ConflictError(
            f"this robot is stopped: {reason}", where="robot", remedy="Look at it, then: zunft robot release."
        )
    _in_use(bench, name, contract)  # said before anything is connected
    limits = bench.policy("runtime", Limits)
    done: list[Driven] = []
    with bench.locked("drive"), driven(bench, name), _connected(robot):
        loop = Loop(robot, contract, limits, clock, counters, is_over=is_over)
        while not is_over() and (jobs == 0 or len(done) < jobs):
            used, share, skill = _in_use(bench, name, contract)
            before = counters.guards()
            job = loop.do_job(Policy(skill), PATIENCE * horizon)
            _keep_stop(bench, loop.standing)
            objected = {each: n - before.get(each, 0) for each, n in counters.guards().items()}
            count_job(bench, name, used.version, done=GOOD[job.outcome], guards=objected)
            done.append(Driven(used.version, used.digest, share, job))
            tell(done[-1])
            if job.outcome in {"stopped", "ended"}:
                break
    return done


def stop_of(bench: RobotFolder) -> str:
    """Why the robot is stopped; empty where it is not."""
    try:
        with _stop_file(bench).open(encoding="utf-8") as file:
            return file.read(REASON_LIMIT)
    except FileNotFoundError:
        return ""


def release(bench: RobotFolder) -> str:
    """A person has looked at the robot: it may move again. Returns why it was stopped."""
    reason = stop_of(bench)
    _stop_file(bench).unlink(missing_ok=True)
    return reason


@contextmanager
def _connected(robot: Robot) -> Iterator[None]:
    robot.connect()
    try:
        yield
    finally:
        robot.disconnect()


def _keep_stop(bench: RobotFolder, standing: Standing) -> None:
    if standing.state == "stopped":
        write_atomically(_stop_file(bench), standing.reason[:REASON_LIMIT].encode(), mode=0o600)


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


def _stop_file(bench: RobotFolder) -> Path:
    return bench.home / "stopped.txt"
