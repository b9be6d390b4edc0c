"""How robots are let in, and looked after."""

from __future__ import annotations

from dataclasses import dataclass

from hub.access.wiring import AccessWing
from hub.clock import Clock
from hub.robots.attendance import Attendance
from hub.robots.enrolment import Enrolment
from hub.robots.fits import Fits
from hub.robots.join_tokens import JoinTokens
from hub.robots.refusals import Refusals
from hub.robots.roster import Roster
from hub.settings import Settings
from hub.storage.wiring import StorageWing
from hub.tuf.wiring import TufWing
from skills.signing import VerifyKey

__all__ = ["RobotsWing", "wire"]


@dataclass(frozen=True)
class RobotsWing:
    """Joining, who is there and who is missed, what each can run, and what each would not take."""

    enrolment: Enrolment
    join_tokens: JoinTokens
    roster: Roster
    attendance: Attendance
    fits: Fits
    refusals: Refusals


def wire(
    settings: Settings,
    storage: StorageWing,
    access: AccessWing,
    gate_key: VerifyKey,
    tuf: TufWing,
    clock: Clock,
) -> RobotsWing:
    """Robots are told the hub's key and the gate's when they join, and their tokens the root of trust."""
    database = storage.database
    roster = Roster(database, clock, settings.robot_active_seconds)
    return RobotsWing(
        enrolment=Enrolment(database, clock, access.key.public.text, gate_key.text, tuf.repository),
        join_tokens=JoinTokens(database, clock),
        roster=roster,
        attendance=Attendance(database, clock, settings.robot_lost_seconds),
        fits=Fits(database, roster),
        refusals=Refusals(database, clock),
    )
