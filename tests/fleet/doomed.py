"""Run as a process: one robot that dies by SIGKILL the moment it says a given phase.

    python -m tests.fleet.doomed HOME HUB PHASE STEPS

Its place writes each trained round into HOME/trained, so that the test sees what was done before death.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from fleet.progress import Progress
from tests.fleet.small_robot import SmallPlace, SmallWork, make_robot


class NotingPlace(SmallPlace):
    """Notes rounds on disk."""

    def practise(self, *arguments: Any) -> SmallWork:
        work = super().practise(*arguments)
        with (Path(sys.argv[1]) / "trained").open("a") as file:
            file.write(work.delta.header.round_id + "\n")
        return work


def main() -> None:
    home, hub, phase, steps = sys.argv[1:]

    def listen(progress: Progress) -> None:
        if progress.phase == phase:
            os.kill(os.getpid(), signal.SIGKILL)

    robot = make_robot(Path(home), hub, place=NotingPlace(), listen=listen)
    for _ in range(int(steps)):
        robot.agent.step()


if __name__ == "__main__":
    main()
