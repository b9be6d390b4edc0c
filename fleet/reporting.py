"""What a robot tells its hub of itself: the version in use, how jobs went, what guards did. Nothing else.

Jobs are counted on disk by whoever drives the robot; the agent tells what is new with its next question for
work, so that a report is no request of its own. A setting sends none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from fleet.robot_folder import RobotFolder
from fleet.runtime.stop import stop_of
from skills.messages.reports import Report, Tally

__all__ = ["Reporter", "count_job", "driven", "report_of"]

KEPT = 3
"""Versions of which jobs are told: the one in use, and the last ones before."""
BETWEEN = 10.0
"""Seconds between two reports of which the later one has only other counts."""


def count_job(
    bench: RobotFolder, skill: str, version: int, *, done: bool | None, guards: Mapping[str, int]
) -> None:
    """Count a job, `done` None where nobody knows how it ended, and how often guards objected in it."""
    jobs = bench.jobs(skill)
    if done is not None:
        old = next((each for each in jobs.tallies if each.version == version), Tally(version=version))
        others = [each for each in jobs.tallies if each.version != version]
        jobs = jobs.model_copy(update={"tallies": (*others[1 - KEPT :], old.counting(done=done))})
    told = dict(jobs.guards)
    for name, count in guards.items():
        told[name] = told.get(name, 0) + count
    bench.keep_jobs(skill, jobs.model_copy(update={"guards": told}))


@contextmanager
def driven(bench: RobotFolder, skill: str) -> Iterator[None]:
    """The robot is busy: this process drives it."""
    bench.keep_jobs(skill, bench.jobs(skill).model_copy(update={"driver": os.getpid()}))
    try:
        yield
    finally:
        bench.keep_jobs(skill, bench.jobs(skill).model_copy(update={"driver": 0}))


def report_of(bench: RobotFolder, skill: str) -> Report:
    """All that a robot tells of itself and a skill."""
    used, jobs = bench.memory(skill).in_use, bench.jobs(skill)
    return Report(
        skill=skill,
        version=used.version if used else 0,
        since=used.since if used else None,
        busy=_is_running(jobs.driver),
        stopped=bool(stop_of(bench)),
        tallies=jobs.tallies,
        guards=dict(list(jobs.guards.items())[:16]),
    )


class Reporter:
    """Remembers what was told, so that only news are."""

    def __init__(self, bench: RobotFolder, skill: str) -> None:
        self._bench = bench
        self._skill = skill
        self._told = Report(skill=skill)
        self._next = 0.0

    def news(self, now: float) -> Report | None:
        """What is to be told; None where the hub has heard it, or will soon enough."""
        found = report_of(self._bench, self._skill)
        if found == self._told or (now < self._next and _gist(found) == _gist(self._told)):
            return None
        return found

    def heard(self, report: Report, now: float) -> None:
        """The hub has it."""
        self._told, self._next = report, now + BETWEEN


def _gist(report: Report) -> Report:
    """What is told at once."""
    return report.model_copy(update={"tallies": (), "guards": {}})


def _is_running(process: int) -> bool:
    if process <= 0:
        return False
    with suppress(ProcessLookupError):
        with suppress(PermissionError):  # another user's, then
            os.kill(process, 0)
        return True
    return False
