"""Jobs for crews, in a module that worker processes can import."""

from __future__ import annotations

import os
import signal

from fleet.progress import Progress
from fleet.workers.crew import Line
from skills.errors import ContractError


def square(line: Line, number: int) -> int:
    line.report(Progress(robot=f"robot-{number}", phase="training", steps=number))
    return number * number


def work_until_stopped(line: Line, name: str) -> str:
    turns = 0
    while not line.stopped():
        line.report(Progress(robot=name, phase="waiting"))
        line.wait(0.01)
        turns += 1
    return f"{name} worked {turns > 0}"


def refuse(_line: Line, where: str) -> None:
    raise ContractError("does not fit.", where=where, remedy="Make it fit.")


def stumble(_line: Line) -> None:
    raise ZeroDivisionError("one over nothing")


def die(_line: Line) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def threads(_line: Line) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")
