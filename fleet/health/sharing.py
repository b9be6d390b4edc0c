"""What a robot tells its guild of its machine, and hears: sums of jobs, for what is usual.

Which jobs count is the hub's to say: it answers up to which it has them, so that an answer that was lost, or
a robot that was killed, never has a job counted twice. A setting sends none of it.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from fleet.client import HubClient
from fleet.health.watch import Health
from fleet.robot_folder import RobotFolder
from skills.errors import HubUnreachableError, ZunftError
from skills.messages.health import HealthModel, HealthReport, HealthState, JobSums

__all__ = ["BETWEEN", "HealthSharer", "Usual", "report_of"]

BETWEEN = 600.0
"""Seconds between two reports, except of a machine that is worn now, or no longer."""


class Usual(BaseModel):
    """What the guild said last: up to which job it has counted this robot's, and what is usual."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    counted: int = 0
    model: HealthModel | None = None


def report_of(skill: str, health: Health, counted: int, *, tells: bool) -> HealthReport:
    """A question for what is usual; with what the guild does not have yet, where the owner allows it."""
    if not tells:
        return HealthReport(skill=skill, figures=health.figures)
    first = max(counted, health.number - len(health.kept))
    sums = None
    if health.knows_home and health.sound > first:
        begin = len(health.kept) - (health.number - first)
        rows = np.array(health.kept[begin : len(health.kept) - (health.number - health.sound)])
        sums = JobSums.of(rows, first, health.sound)
    return HealthReport(skill=skill, figures=health.figures, sums=sums, state=health.state)


class HealthSharer:
    """Tells now and then; see `BETWEEN`.

    Args:
        bench: Knows how the machine fares.
        skill: In which skill.
        client: Speaks to the hub.
        tells: Whether the owner lets it tell anything; else it only asks.
    """

    def __init__(self, bench: RobotFolder, skill: str, client: HubClient, *, tells: bool) -> None:
        self._bench, self._skill, self._client, self._tells = bench, skill, client, tells
        self._next = 0.0
        self._told: HealthState | None = None

    def share(self, now: float) -> None:
        """Tell what is new, if it is time; a hub of another version that does not take it goes without.

        Raises:
            HubUnreachableError: No answer; nothing is lost.
        """
        health = self._bench.note(self._skill, "health", Health)
        same = self._told is not None and self._told.worn_since == health.state.worn_since
        if not health.figures or (now < self._next and same):
            return
        usual = self._bench.note(self._skill, "usual", Usual)
        report = report_of(self._skill, health, usual.counted, tells=self._tells)
        try:
            answer = self._client.tell_health(report)
        except HubUnreachableError:
            raise
        except ZunftError:
            self._next, self._told = now + BETWEEN, health.state
            return
        self._bench.keep_note(self._skill, "usual", Usual(counted=answer.counted, model=answer.model))
        self._next, self._told = now + BETWEEN, health.state
