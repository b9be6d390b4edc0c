"""When a robot may take another version, and who must agree: the owner's `[update]` settings.

What was tried in the twin and may not be taken yet waits in the robot's memory of the skill. Trying it there
is `fleet.adoption`'s, driving it slowly while somebody watches `zunft robot drive --supervised`'s.
"""

from __future__ import annotations

import re
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, field_validator

from fleet.robot_folder import Memory, RobotFolder, SkillInUse
from skills.errors import NotFoundError

__all__ = ["Updates", "consent", "decline", "waiting_version"]

WINDOW = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class Updates(BaseModel):
    """What the owner allows.

    Attributes:
        window: The maintenance window in the robot's own time, `22:00-05:30`; empty: always.
        supervised: Whether a person has to see each version on the real robot before it works alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str = Field(default="", max_length=11)
    supervised: bool = False

    @field_validator("window")
    @classmethod
    def _is_a_window(cls, window: str) -> str:
        if window and not WINDOW.fullmatch(window):
            raise ValueError("a window is written as 22:00-05:30")
        return window

    def is_open(self, at: datetime) -> bool:
        """Whether a version may be changed at this time of the robot's day."""
        found = WINDOW.fullmatch(self.window)
        if not found:
            return True
        hours = [int(each) for each in found.groups()]
        begin, end, now = 60 * hours[0] + hours[1], 60 * hours[2] + hours[3], 60 * at.hour + at.minute
        return begin <= now < end if begin < end else now >= begin or now < end

    def may_swap(self, memory: Memory, driven: int, at: datetime) -> bool:
        """Whether between two jobs another version may take the place of the driven one.

        What the robot went back from is not driven until the window opens.
        """
        return memory.in_use is None or memory.in_use.version < driven or self.is_open(at)

    def hindrance(self, memory: Memory, at: datetime, *, tried: bool) -> str:
        """What a version that waits waits for; empty: it may be taken.

        A version that the guild calls unsafe is not kept until the window opens.
        """
        if self.supervised or not tried:
            return "somebody's consent: zunft robot drive --supervised"
        unsafe = memory.in_use and memory.seen and memory.in_use.version < memory.seen.lowest
        return "" if unsafe or self.is_open(at) else f"the maintenance window, {self.window}"


def waiting_version(bench: RobotFolder, skill: str) -> SkillInUse:
    """The version that waits to be taken.

    Raises:
        NotFoundError: None does.
    """
    waiting = bench.memory(skill).waiting
    if waiting is None:
        raise NotFoundError(
            f"no version of {skill} waits.",
            where="robot",
            remedy="zunft robot run looks for one, and tries it in the twin.",
        )
    return waiting


def consent(bench: RobotFolder, skill: str, seen: SkillInUse, by: str) -> None:
    """Somebody has seen this version on the robot, and it may work alone from now on."""
    bench.keep_memory(skill, bench.memory(skill).use(seen.digest, seen.version, by=by))


def decline(bench: RobotFolder, skill: str, seen: SkillInUse, by: str) -> None:
    """Somebody has seen this version on the robot, and does not want it."""
    bench.keep_memory(skill, bench.memory(skill).refuse(seen.digest, f"declined by {by}."))
