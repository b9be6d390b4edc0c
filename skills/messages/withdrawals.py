"""What is said about the withdrawal of a robot: what was taken back, what was made again without it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from skills.messages.base import Message
from skills.messages.skills import GateReport, ScoreView

__all__ = ["RoundChange", "SkillChange", "WithdrawalRequest", "WithdrawalState", "WithdrawalView"]

WithdrawalState = Literal["planned", "requested", "working", "done", "failed"]
"""`planned` is the answer to a dry run; `requested` waits for those before it."""

RoundOutcome = Literal["waiting", "rebuilt", "dropped", "ended"]


class WithdrawalRequest(Message):
    """Withdraw a robot and all that it contributed.

    Attributes:
        dry_run: Only say what would be done.
        purge: Delete the files of the versions that contain it, too; admins could fetch them otherwise.
    """

    dry_run: bool = False
    purge: bool = False


class RoundChange(Message):
    """What became of one link of a skill's lineage.

    Attributes:
        round_id: None for a version that was uploaded, which no hub can make again.
        outcome: `waiting` to be merged again; `rebuilt`; `dropped`, because too little is left; `ended`,
            because it was under way.
        version_before: The version that it had made; None where it had made none yet.
        version_after: The version that takes its place.
        reason: Why it was dropped or ended.
    """

    round_id: str | None
    outcome: RoundOutcome
    deltas_before: int = 0
    deltas_after: int = 0
    version_before: int | None = None
    version_after: int | None = None
    reason: str = ""


class SkillChange(Message):
    """What became of one skill.

    Attributes:
        withdrawn: Versions that contain the robot, and are offered to nobody any longer.
        rounds: The links that led to the stable version, oldest first, and rounds that were under way.
        stable_before: The stable version; None where there was none.
        stable_after: The stable version now.
        score_before: What the stable version had scored.
        score_after: What the last version that was made again scores.
        gate: How that was compared with the last version without the robot.
        reason: Why the stable version is the one that it is.
    """

    skill: str
    withdrawn: tuple[int, ...] = ()
    rounds: tuple[RoundChange, ...] = ()
    stable_before: int | None = None
    stable_after: int | None = None
    score_before: ScoreView | None = None
    score_after: ScoreView | None = None
    gate: GateReport | None = None
    reason: str = ""


class WithdrawalView(Message):
    """A withdrawal and what it has come to. `bytes` are those of the deltas."""

    withdrawal_id: str = ""
    robot_id: str
    organisation: str
    state: WithdrawalState
    reason: str = ""
    purge: bool
    requested_at: datetime
    finished_at: datetime | None = None
    deltas: int = Field(default=0, description="How many of its deltas were deleted.")
    bytes: int = 0
    skills: tuple[SkillChange, ...] = ()
