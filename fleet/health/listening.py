"""A robot whose jobs are listened to: what its joints sensed and it was sent, until its health is judged.

Between two jobs, so that no period waits; a driver that gives no joints is driven as before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.nominal import NominalArm
from fleet.health.figures import Trace, figure_names, figures_of
from fleet.health.sharing import Usual
from fleet.health.watch import Health, judged
from fleet.robot_folder import RobotFolder
from fleet.runtime.counters import Counters
from fleet.runtime.robot import Numbers, Observed, Robot
from skills.messages.health import HealthState

__all__ = ["ListenedRobot"]


class ListenedRobot:
    """Another robot, whose machine is judged by its jobs.

    Args:
        robot: Does what it is told.
        bench: Where what is known of the machine is kept.
        skill: What it does.
        arm: Its nominal twin.
        counters: Told how the machine fares.
        now: The date.
    """

    def __init__(
        self,
        robot: Robot,
        bench: RobotFolder,
        skill: str,
        arm: NominalArm,
        counters: Counters,
        now: Callable[[], datetime],
    ) -> None:
        self._robot, self._bench, self._skill = robot, bench, skill
        self._arm, self._counters, self._now = arm, counters, now
        self._trace = Trace()

    def connect(self) -> None:
        """See `Robot`."""
        self._robot.connect()

    def observe(self) -> Observed:
        """See `Robot`; a period in which nothing was sent ends what can be judged of a job."""
        seen = self._robot.observe()
        if seen.joints is not None and len(self._trace.sent) == len(self._trace.joints):
            self._trace.times.append(seen.taken_at)
            self._trace.joints.append(seen.joints)
        return seen

    def send(self, action: Numbers) -> NDArray[Any]:
        """See `Robot`."""
        sent = self._robot.send(action)
        if len(self._trace.sent) < len(self._trace.joints):
            self._trace.sent.append(np.asarray(sent, np.float64))
        return sent

    def hold(self) -> None:
        """See `Robot`."""
        self._robot.hold()

    def disconnect(self) -> None:
        """See `Robot`."""
        self._robot.disconnect()

    def judge(self) -> HealthState | None:
        """Judge the machine by the job that has ended; None where that says nothing."""
        trace, self._trace = self._trace, Trace()
        row = figures_of(trace, self._arm)
        if row is None:
            return None
        before = self._bench.note(self._skill, "health", Health)
        usual = self._bench.note(self._skill, "usual", Usual)
        after = judged(before, figure_names(self._arm.joints), row, usual.model, self._now())
        self._bench.keep_note(self._skill, "health", after)
        self._counters.health(after.state)
        return after.state
